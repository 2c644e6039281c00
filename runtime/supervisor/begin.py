"""Beginning a supervisor from a plan, in the foreground of a terminal or detached from it."""

import contextlib
import os
import select
import sys
import time
from pathlib import Path

import msgspec

from runtime.launch.plan import Plan
from runtime.lock import Lock
from runtime.supervisor.console import Console, Style
from runtime.supervisor.guard import EXIT_SOFTWARE, guarded
from runtime.supervisor.journal import SELF
from runtime.supervisor.supervisor import Outcome, Supervisor

LOCK_FILE = "supervisor.lock"
STANDARD = (0, 1, 2)


def hold(run_dir: Path) -> Lock:
    """The lock that says that a supervisor runs here. AlreadyRunning names the process that has it."""
    return Lock.hold(
        run_dir / LOCK_FILE, what="a system of this run directory", remedy="sage down, or another SAGE_RUN_DIR"
    )


def foreground(plan: Plan, lock: Lock, style: Style) -> int:
    """Run the plan until it ends, showing records on stdout in `style`; the exit code."""
    code = guarded(lambda console: _serve(plan, console, style, None), sys.stdout.fileno())
    lock.release()
    return code


def detached(plan: Plan, lock: Lock, timeout: float) -> Outcome | None:
    """Run the plan in the background; the outcome of its start, None if that is not known within `timeout` seconds.

    Whatever the outcome, what could be started goes on running.
    """
    outcome, told = os.pipe()
    if os.fork() == 0:
        os.close(outcome)
        _background(plan, lock, told)
    os.close(told)
    lock.hand_over()
    try:
        return _outcome(outcome, timeout)
    finally:
        os.close(outcome)


def _background(plan: Plan, lock: Lock, told: int) -> None:
    """In the forked process; does not return."""
    code = EXIT_SOFTWARE
    try:
        os.setsid()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in STANDARD:
            os.dup2(nowhere, descriptor)
        lock.sign()
        code = guarded(lambda console: _serve(plan, console, "silent", told), nowhere, theirs=(told,))
        lock.release()
    finally:
        os._exit(code)


def _serve(plan: Plan, console: int, style: Style, told: int | None) -> int:
    """The supervisor's own process."""
    import asyncio

    def tell(outcome: Outcome) -> None:
        if told is not None:
            with contextlib.suppress(BrokenPipeError):  # who started us no longer waits
                os.write(told, msgspec.json.encode(outcome))
            os.close(told)

    width = max(len(name) for name in (SELF, *(process.name for process in plan.processes)))

    async def main() -> int:
        return await Supervisor(plan, Console(console, style, width), tell).run()

    return asyncio.run(main())


def _outcome(descriptor: int, timeout: float) -> Outcome | None:
    deadline = time.monotonic() + timeout
    received = b""
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([descriptor], [], [], left)[0]:
            return None
        data = os.read(descriptor, 65536)
        received += data
        if not data:
            return msgspec.json.decode(received, type=Outcome) if received else Outcome(ready=False, reason=_DIED)
    return None


_DIED = "the supervisor itself ended; its log is supervisor.jsonl below the state directory's logs"
