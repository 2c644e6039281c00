from pathlib import Path

import pytest

from nodes.trust_ledger.ledger import Ledger
from tests.unit.trust_ledger.told import open_ledger


@pytest.fixture
def ledger(tmp_path: Path):
    """An empty ledger of a host of its own."""
    made: Ledger = open_ledger(tmp_path)
    yield made
    made.close()
