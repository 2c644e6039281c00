"""Writes `ledger_v2/`: a trust ledger whose actions do not yet say what overruled the choice of their level.

    python -m tests.data.make_ledger_v2

The sample was written before actions said so, and stays as it is: whatever is added to an action later must leave these
bytes valid as they were signed. Run again, this writes what the program writes now.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from nodes.trust_ledger.ledger import LEDGER_FILE, Ledger, Telling
from protocol.messages.trust import Judge, Outcome
from runtime.identity import HostIdentity
from runtime.sealing import Sealer

HOME = Path(__file__).parent / "ledger_v2"
BEGAN_NS = 1_796_000_000 * 10**9
BY = "dialogue"


def _outcome(exchange: str, level: str, **said: Any) -> Outcome:
    common = {"session": "kitchen", "model": "m", "version": "v", "cluster": 3, "words": 4, "tokens_out": 5}
    return Outcome(exchange=exchange, level=level, **common, **said)


OUTCOMES = (
    _outcome("b1", "sensory", context="stable", score=1.0, source="reference"),
    _outcome("b2", "sensory", context="novel", score=0.3, source="confidence", confidence=0.3),
    _outcome("b2", "specialized", context="novel", score=1.0, source="reference", stake=1.5),
)
JUDGED = Judge(exchange="b1", score=0.0, source="user", judgement="0")


def main() -> None:
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(mode=0o700)
    path = HOME / LEDGER_FILE
    with closing(Ledger(path, HostIdentity.load(HOME), Sealer.load(HOME, "trust"))) as ledger:
        for number, told in enumerate((*OUTCOMES, JUDGED)):
            ledger.append([Telling(told, BY)], BEGAN_NS + number)
    with closing(sqlite3.connect(path, isolation_level=None)) as base:
        base.execute("PRAGMA journal_mode = DELETE")  # one file


if __name__ == "__main__":
    main()
