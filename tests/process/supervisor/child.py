"""A small child for tests: `python child.py DEED…`. It knows of the system nothing but `runtime.notify`.

Deeds are done in order; most end in `live`, which beats until SIGTERM.
"""

import os
import signal
import subprocess
import sys
import time

from runtime.notify import Notifier

notifier = Notifier()


def live() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    notifier.ready()
    while True:
        notifier.beat()
        signal.sigtimedwait([], 0.1)


def stubborn() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    notifier.ready()
    while True:
        notifier.beat()
        signal.sigtimedwait([], 0.1)


def hang() -> None:
    signal.pause()


def wait_to_be_ready() -> None:
    """Ready once the file `go` is in the run directory."""
    while not os.path.exists(os.path.join(os.environ["SAGE_RUN_DIR"], "go")):
        time.sleep(0.01)


def crash() -> None:
    notifier.ready()
    print("all is lost", flush=True)
    os._exit(3)


def crash_first() -> None:
    print("cannot find the model", file=sys.stderr, flush=True)
    sys.exit(4)


def breed() -> None:
    """Leave descendants of three kinds: in the group, in a session of its own, and orphaned in one of its own."""
    forever = [sys.executable, "-c", "import signal; signal.pause()"]
    ours = subprocess.Popen(forever).pid
    away = subprocess.Popen(forever, start_new_session=True).pid
    popen = f"subprocess.Popen({forever!r}, start_new_session=True, stdout=subprocess.DEVNULL)"
    program = f"import subprocess; print({popen}.pid)"
    orphan = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True).stdout
    print(f'{{"event": "bred", "pids": [{ours}, {away}, {int(orphan)}]}}', flush=True)


def mutter() -> None:
    """Print what is hard to keep."""
    sys.stdout.buffer.write(b"caf\xe9\n\x1b[2J\n" + b"x" * 200_000 + b"\n\n")
    sys.stdout.buffer.write(b'{"event": "structured", "level": "info", "n": 1}\nno end of line')
    sys.stdout.flush()


def flood() -> None:
    """Print more than any pipe holds; `flooded` in the run directory says that somebody took it."""
    for _ in range(3000):
        print("x" * 1000)
    sys.stdout.flush()
    open(os.path.join(os.environ["SAGE_RUN_DIR"], "flooded"), "x").close()


def devour() -> None:
    """Take more memory than anyone may."""
    notifier.ready()
    try:
        hoard = bytearray(1 << 30)
    except MemoryError:
        print("refused", flush=True)
        sys.exit(5)
    print(len(hoard), flush=True)
    sys.exit(6)


def show() -> None:
    print(f'{{"event": "shown", "nice": {os.getpriority(os.PRIO_PROCESS, 0)}, "session": {os.getsid(0)}}}', flush=True)


for deed in sys.argv[1:]:
    globals()[deed]()
