"""Ending a running supervisor from outside, and waiting until nothing of it is left."""

import os
import select
import signal
import time
from pathlib import Path

from protocol.errors import DeadlineExceeded
from runtime.lock import holder
from runtime.supervisor import state
from runtime.supervisor.begin import LOCK_FILE
from runtime.supervisor.control import NotRunning, Request, ask


def stop(run_dir: Path, timeout: float) -> float:
    """Stop everything in order; the seconds it took. DeadlineExceeded if it still runs after `timeout`."""
    began = time.monotonic()
    guard = _guard(run_dir)
    if guard is None:
        raise _nothing(run_dir)
    try:
        ask(run_dir, Request("down", timeout=timeout))
        _wait(guard, began, timeout)
    finally:
        os.close(guard)
    return time.monotonic() - began


def kill(run_dir: Path, timeout: float) -> float:
    """Kill the supervisor, whose guard then kills everything else; the seconds it took."""
    began = time.monotonic()
    guard = _guard(run_dir)
    shown = state.read(run_dir)
    if guard is None or shown is None:
        raise _nothing(run_dir)
    try:
        os.kill(shown.pid, signal.SIGKILL)
        _wait(guard, began, timeout)
    finally:
        os.close(guard)
    return time.monotonic() - began


def _guard(run_dir: Path) -> int | None:
    """A descriptor of the process that holds the run directory: readable once it has ended."""
    found = holder(run_dir / LOCK_FILE)
    if found is None or not found.pid:
        return None
    try:
        return os.pidfd_open(found.pid)
    except ProcessLookupError:
        return None


def _wait(guard: int, began: float, timeout: float) -> None:
    left = began + timeout - time.monotonic()
    if not select.select([guard], [], [], max(left, 0))[0]:
        raise DeadlineExceeded(f"still stopping after {timeout:g} s", remedy="sage down --kill")


def _nothing(run_dir: Path) -> NotRunning:
    return NotRunning("no system runs here", place=str(run_dir), remedy="sage up")
