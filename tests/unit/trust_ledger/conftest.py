from pathlib import Path

import pytest

from nodes.trust_ledger.ledger import Ledger
from runtime.identity import HostIdentity
from runtime.sealing import Sealer


@pytest.fixture
def ledger(tmp_path: Path):
    """An empty ledger of a host of its own."""
    made = Ledger(tmp_path / "trust.sqlite", HostIdentity.load(tmp_path), Sealer.load(tmp_path, "trust"))
    yield made
    made.close()
