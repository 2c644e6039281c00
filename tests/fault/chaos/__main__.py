"""`python -m tests.fault.chaos --injuries 200 --seed 1 --json`: progress goes to stderr, figures to stdout."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from runtime.logs import configure
from tests.fault.chaos.ordeal import ordeal


def main() -> int:
    """Exit status 0 when everything held, 1 when something did not."""
    parser = argparse.ArgumentParser(prog="python -m tests.fault.chaos", description=__doc__)
    parser.add_argument("--injuries", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--levels", default="", help="a levels file other than the one that ships")
    parser.add_argument("--keep", action="store_true", help="leave the state directory, with its logs, where it is")
    parser.add_argument("--json", action="store_true", help="one record on one line")
    chosen = parser.parse_args()
    configure("chaos", format_="json")
    began = time.monotonic()

    def tell(words: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {words}", file=sys.stderr, flush=True)

    directory = Path(tempfile.mkdtemp(prefix="sg"))  # a socket's path has at most 107 bytes
    tell(str(directory))
    try:
        report = asyncio.run(
            ordeal(directory, injuries=chosen.injuries, seed=chosen.seed, levels=chosen.levels, tell=tell)
        )
    finally:
        if not chosen.keep:
            shutil.rmtree(directory, ignore_errors=True)
    record = msgspec.json.encode(report)
    print((record if chosen.json else msgspec.json.format(record, indent=2)).decode())
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
