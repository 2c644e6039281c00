import contextlib

import pytest

from tests.fabric import fabric
from tests.process.fabric.here import Here


@pytest.fixture
async def system():
    async with fabric() as made:
        yield made


@pytest.fixture
async def here():
    async with contextlib.AsyncExitStack() as stack:
        yield Here(stack)
