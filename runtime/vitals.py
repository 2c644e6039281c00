"""What a process can say of its own body: processor time, memory, descriptors, and how promptly its loop turns."""

from __future__ import annotations

import os
import resource

from protocol.messages.node import Health, NodeState
from runtime.clock import Clock

_PAGE = resource.getpagesize()


class Vitals:
    """Measures this process, from /proc where there is one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began_ns = clock.mono_ns()

    def health(
        self,
        state: NodeState,
        *,
        reason: str = "",
        metabolic_number: int = 0,
        retained: dict[str, int] | None = None,
        stats: dict[str, dict[str, float]] | None = None,
        loop_lag_ms: float = 0.0,
    ) -> Health:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return Health(
            state=state,
            reason=reason,
            metabolic_number=metabolic_number,
            retained=retained or {},
            uptime_s=(self._clock.mono_ns() - self._began_ns) / 1e9,
            cpu_s=usage.ru_utime + usage.ru_stime,
            rss_bytes=resident_bytes(),
            open_files=_count("/proc/self/fd"),
            loop_lag_ms=loop_lag_ms,
            stats=stats or {},
        )


def resident_bytes() -> int:
    """Memory of this process that is in RAM; its peak where the system tells only that."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * _PAGE
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def processor_s(pid: int) -> float:
    """Processor seconds (user and system) of a process so far; 0 where it is gone, or the system does not tell."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            # The name in parentheses may hold anything; the fields begin after the last one.
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _count(directory: str) -> int:
    try:
        return len(os.listdir(directory))
    except OSError:
        return 0
