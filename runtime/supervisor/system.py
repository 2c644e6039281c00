"""The few system calls of Linux that supervision rests on and the standard library does not wrap."""

import ctypes
import os
import signal
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int, sign: signal.Signals) -> None:
    """Have the kernel send us `sign` when `parent`, our parent, ends; end at once if it already has.

    Between fork and this call the parent may have died: then nobody would ever send the signal.
    """
    _prctl(_PR_SET_PDEATHSIG, sign)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, instead of init."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def children_of(pid: int) -> list[int]:
    """Direct children of `pid`, zombies included."""
    # /proc/PID/task/TID/children would be cheaper, but kernels may be built without it.
    return [int(name) for name in os.listdir("/proc") if name.isdecimal() and _parent_of(name) == pid]


def _parent_of(pid: str) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None  # it has ended meanwhile
    # The command's name, in parentheses, may hold anything; what follows the last parenthesis is numbers.
    return int(stat[stat.rindex(b")") + 2 :].split()[1])


def variable_of(pid: int, name: str) -> str | None:
    """What the environment of `pid` said about `name` when it started, None if that cannot be known."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    for entry in environment.split(b"\0"):
        key, _, value = entry.partition(b"=")
        if key == name.encode():
            return value.decode(errors="replace")
    return None


def signal_group(group: int, sign: signal.Signals) -> bool:
    """Send `sign` to every process of the group. False if there is none left."""
    try:
        os.killpg(group, sign)
    except ProcessLookupError:
        return False
    return True


def kill_descendants(keep: int | None = None) -> int:
    """Kill and reap every child of ours (but `keep`), and those that become ours by that, until none is left.

    The caller adopts orphans, so this reaches whole trees, also what left its group and session. Returns how many.
    """
    killed = 0
    untouchable = {keep}
    while doomed := [pid for pid in children_of(os.getpid()) if pid not in untouchable]:
        for pid in doomed:
            try:
                os.kill(pid, signal.SIGKILL)  # ours and unreaped, so the number cannot be another's
            except PermissionError:  # it has become another user's
                untouchable.add(pid)
                continue
            os.waitpid(pid, 0)
            killed += 1
    return killed


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl({option}): {os.strerror(code)}")
