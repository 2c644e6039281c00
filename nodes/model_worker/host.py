"""How much memory this process may still take, from /proc, its control group and its own limit."""

import resource
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def available_memory(proc: Path = Path("/proc/meminfo"), cgroup: Path = _CGROUP) -> int:
    """Bytes that could be taken now without swapping.

    What the system has, what the control group leaves, or what is left of this process's address space (`ulimit -v`),
    whichever is least.
    """
    free = meminfo(proc.read_text())["MemAvailable"]
    limit, used = _number(cgroup / "memory.max"), _number(cgroup / "memory.current")
    if limit is not None and used is not None:
        free = min(free, max(0, limit - used))
    return min(free, _address_space_left())


def total_memory(proc: Path = Path("/proc/meminfo"), cgroup: Path = _CGROUP) -> int:
    """Bytes of memory this process may have at most: the machine's, or its control group's limit, if less."""
    total = meminfo(proc.read_text())["MemTotal"]
    limit = _number(cgroup / "memory.max")
    return total if limit is None else min(total, limit)


def meminfo(text: str) -> dict[str, int]:
    """/proc/meminfo in bytes."""
    fields = (line.split(":") for line in text.splitlines() if line.endswith("kB"))
    return {name: int(value.split()[0]) * 1024 for name, value in fields}


def _address_space_left() -> int:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return 1 << 62
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return max(0, limit - pages * resource.getpagesize())


def _number(path: Path) -> int | None:
    """The number in a control-group file; None where there is no file, or it says `max`."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
