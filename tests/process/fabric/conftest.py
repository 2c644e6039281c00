import pytest

from tests.fabric import fabric


@pytest.fixture
async def system():
    async with fabric() as made:
        yield made
