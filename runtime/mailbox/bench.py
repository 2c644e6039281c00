"""`sage bench mailbox`: an array from one process to another, through shared memory and through the hub.

Through the hub it goes as events of 64 KiB, as fast as they pass, each checked and numbered like any other; its time
counts from before the first is made until the last is there. Through a mailbox the time counts from before the array is
copied in until the other process has it in its hands. Neither reader looks at the numbers within the time.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

from runtime.bench.contenders import Contender, fabric_alone
from runtime.bench.peers.sample import BLOCK_BYTES
from runtime.bench.record import at_least
from runtime.bench.session import Outcome, Session
from runtime.mailbox.box import Mailbox
from runtime.paths import shared_memory_dir

NBYTES = 16 << 20
SMALL = 64 << 10
ROUNDS, QUICK_ROUNDS = 40, 8
LETTERS, QUICK_LETTERS = 20_000, 2_000
FASTER = 20.0
_PATIENCE_S = 60.0
_STOP = b"stop"


def measure(session: Session) -> Outcome:
    """Both ways in turn, in a new order every round; then many small letters."""
    directory = Path(tempfile.mkdtemp(prefix="sg"))
    shared = Path(tempfile.mkdtemp(prefix="sage-bench-", dir=shared_memory_dir()))
    try:
        return asyncio.run(_measure(session, directory, shared))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        shutil.rmtree(shared, ignore_errors=True)


async def _measure(session: Session, directory: Path, shared: Path) -> Outcome:
    rounds = QUICK_ROUNDS if session.quick else ROUNDS
    letters = QUICK_LETTERS if session.quick else LETTERS
    progress = session.progress(rounds + 1)
    draw = random.Random(session.seed)
    times: dict[str, list[float]] = {"mailbox": [], "hub": []}
    lost = 0
    with Mailbox.create(shared / "large", slots=2, nbytes=NBYTES) as box, _reader(box) as reader:
        async with fabric_alone(directory) as hub:
            for number in range(-1, rounds):  # the first round warms up
                row = {}
                for name in draw.sample(list(times), len(times)):
                    if name == "mailbox":
                        row[name] = _through_mailbox(box, reader)
                    else:
                        row[name], missing = await _through_hub(hub)
                        lost += missing
                if number >= 0:
                    for name, seconds in row.items():
                        times[name].append(seconds)
                    session.raw(round=number, **{f"{name}_ms": 1e3 * seconds for name, seconds in row.items()})
                    progress.advance(1, f"round {number + 1}")
    per_s = _small_letters(shared, letters)
    progress.advance(1, "small letters")
    ratios = sorted(hub / box for hub, box in zip(times["hub"], times["mailbox"], strict=True))
    return Outcome(
        figures={
            "bytes": NBYTES,
            "mailbox_ms": round(1e3 * median(times["mailbox"]), 3),
            "hub_ms": round(1e3 * median(times["hub"]), 3),
            "ratio": {"median": round(median(ratios), 1), "least": round(ratios[0], 1), "most": round(ratios[-1], 1)},
            "hub_events_lost": lost,
            "letters_of_64_KiB_per_s": round(per_s),
        },
        goals=[
            at_least(
                "faster",
                "times that 16 MiB are handed over faster than through the hub, median of the rounds",
                target=FASTER,
                measured=round(median(ratios), 1),
            )
        ],
        text=__doc__.partition("\n\n")[2],
        packages=("numpy",),
    )


def _through_mailbox(box: Mailbox, reader: Connection) -> float:
    """Seconds."""
    import numpy as np

    array = np.ones(NBYTES // 8)
    began_ns = time.monotonic_ns()
    box.put(array, timeout=_PATIENCE_S)
    if not reader.poll(_PATIENCE_S):
        raise TimeoutError("the reader of the mailbox said nothing")
    ended_ns, total = reader.recv()
    assert total == len(array), "another array came out"
    return float(ended_ns - began_ns) / 1e9


async def _through_hub(hub: Contender) -> tuple[float, int]:
    """Seconds, and events that were lost."""
    trial = await hub.carry("block", count=NBYTES // BLOCK_BYTES, rate=0)
    return trial.seconds, trial.sent - trial.received


def _small_letters(shared: Path, count: int) -> float:
    """Letters a second, one writer and one reader."""
    import numpy as np

    array = np.ones(SMALL // 8)
    with Mailbox.create(shared / "small", slots=16, nbytes=SMALL) as box, _reader(box, quiet=True) as reader:
        box.put(array, timeout=_PATIENCE_S)
        reader.recv()
        began = time.monotonic()
        for _ in range(count):
            box.put(array, timeout=_PATIENCE_S)
        box.put(np.zeros(1), _STOP, timeout=_PATIENCE_S)
        reader.recv()
        return count / (time.monotonic() - began)


@contextmanager
def _reader(box: Mailbox, *, quiet: bool = False) -> Iterator[Connection]:
    """A process that takes letters and says of each, or `quiet` of the first and the last, when it came and its sum."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_read, args=(box.path, theirs, quiet), daemon=True)
    process.start()
    try:
        yield ours
    finally:
        process.terminate()
        process.join()


def _read(path: Path, writer: Connection, quiet: bool) -> None:
    with Mailbox.open(path) as box:
        first = True
        while True:
            with box.take() as letter:
                ended_ns = time.monotonic_ns()
                assert letter is not None
                total, stop = float(letter.array.sum()), letter.label == _STOP
            if first or stop or not quiet:
                writer.send((ended_ns, total))
            first = False
