"""What tests tell a ledger, and what somebody without the host's key could do to its file."""

import sqlite3
from contextlib import closing
from pathlib import Path

from nodes.trust_ledger.ledger import Ledger, Receipt, Telling
from protocol.messages.trust import Outcome
from runtime.identity import HostIdentity
from runtime.sealing import Sealer

GROUND = 3
"""Entries that stand before the first action: the host, the rules, the model version."""


def open_ledger(home: Path) -> Ledger:
    return Ledger(home / "trust.sqlite", HostIdentity.load(home), Sealer.load(home, "trust"))


def open_again(ledger: Ledger) -> Ledger:
    return open_ledger(ledger.path.parent)


def outcome(number: int, **other: object) -> Outcome:
    told = {"level": "sensory", "score": 1.0, "session": "kitchen", "version": "v", "context": "stable", **other}
    return Outcome(**{"exchange": f"x{number}", "model": "m", "source": "arithmetic", **told})


def append(ledger: Ledger, what: list[object], wall_ns: int = 1, by: str = "") -> list[Receipt]:
    return ledger.append([Telling(one, by) for one in what], wall_ns)


def tell(ledger: Ledger, *numbers: int) -> None:
    """Outcomes of these numbers; the first one gets entry GROUND + 1."""
    append(ledger, [outcome(number) for number in numbers])


def do(ledger: Ledger, *statements: str) -> None:
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as base:
        for statement in statements:
            base.execute(statement)


def found(ledger: Ledger) -> list[tuple[int, str]]:
    return [(finding.number, finding.kind) for finding in ledger.verify()]
