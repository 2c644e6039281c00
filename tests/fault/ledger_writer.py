"""Writes outcomes down, batch after batch: `ledger_writer.py DIR FROM TO BATCH`.

Says the last number of each batch once it is kept.
"""

import sys
from pathlib import Path

from nodes.trust_ledger.ledger import LEDGER_FILE, Ledger, Telling
from protocol.messages.trust import Outcome
from runtime.identity import HostIdentity
from runtime.sealing import Sealer


def open_ledger(directory: Path) -> Ledger:
    return Ledger(directory / LEDGER_FILE, HostIdentity.load(directory), Sealer.load(directory, "trust"))


def outcome(number: int) -> Outcome:
    return Outcome(
        exchange=f"x{number}",
        session=f"s{number % 7}",
        level="sensory",
        model="m",
        version="v",
        context=("stable", "novel")[number % 2],
        score=float(number % 3 > 0),
        source="arithmetic" if number % 5 else "confidence",
        cluster=number % 11,
        atp=0.5,
    )


def write(directory: Path, first: int, last: int, batch: int) -> None:
    ledger = open_ledger(directory)
    for begin in range(first, last, batch):
        numbers = range(begin, min(begin + batch, last))
        ledger.append([Telling(outcome(number), "dialogue") for number in numbers], 1_000 * begin)
        print(numbers[-1], flush=True)


if __name__ == "__main__":
    write(Path(sys.argv[1]), *map(int, sys.argv[2:5]))
