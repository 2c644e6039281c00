"""How much memory this process may still take, from /proc and its control group."""

from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def available_memory(proc: Path = Path("/proc/meminfo"), cgroup: Path = _CGROUP) -> int:
    """Bytes that could be taken now without swapping: the system's, or what the control group leaves, if less."""
    free = meminfo(proc.read_text())["MemAvailable"]
    limit, used = _number(cgroup / "memory.max"), _number(cgroup / "memory.current")
    return free if limit is None or used is None else min(free, max(0, limit - used))


def total_memory(proc: Path = Path("/proc/meminfo"), cgroup: Path = _CGROUP) -> int:
    """Bytes of memory this process may have at most: the machine's, or its control group's limit, if less."""
    total = meminfo(proc.read_text())["MemTotal"]
    limit = _number(cgroup / "memory.max")
    return total if limit is None else min(total, limit)


def meminfo(text: str) -> dict[str, int]:
    """/proc/meminfo in bytes."""
    fields = (line.split(":") for line in text.splitlines() if line.endswith("kB"))
    return {name: int(value.split()[0]) * 1024 for name, value in fields}


def _number(path: Path) -> int | None:
    """The number in a control-group file; None where there is no file, or it says `max`."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
