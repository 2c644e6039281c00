"""One end of a mailbox in a process of its own: `end.py write PATH WRITER COUNT` or `end.py read PATH [DIE_AT]`.

A writer's letters are filled with one number each; a reader prints every letter that it read to its end, and says in
which line it is about to be killed. A letter that holds two numbers ends the process with a message.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np

from runtime.mailbox.box import Mailbox

NUMBERS = 512
WAIT_S = 60.0
END = b"end"


def write(box: Mailbox, writer: int, count: int) -> None:
    for number in range(count):
        box.put(np.full(NUMBERS, writer * 1_000_000 + number), timeout=WAIT_S)


def read(box: Mailbox, die_at: int) -> None:
    done = 0
    while True:
        with box.take(timeout=WAIT_S) as letter:
            assert letter is not None, "nothing came"
            if letter.label == END:
                return
            first = int(letter.array[0])
            assert (letter.array == first).all(), f"torn: {set(letter.array.tolist())}"
            done += 1
            if done == die_at:
                print("dying", flush=True)
                os.kill(os.getpid(), signal.SIGKILL)
        print(first, flush=True)


if __name__ == "__main__":
    what, path, *numbers = sys.argv[1:]
    with Mailbox.open(Path(path)) as opened:
        if what == "write":
            write(opened, *map(int, numbers))
        else:
            read(opened, *map(int, numbers or ["0"]))
