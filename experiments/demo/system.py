"""A system of the demonstration's own: started from the shipped launch file, spoken to, and stopped without a trace."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from protocol.errors import SageError

UP_S = 120
DOWN_S = 30


class DemoFailed(SageError):
    """The system did not start, or did not stop."""

    code = "demo.failed"


@dataclass
class System:
    run_dir: Path
    state_dir: Path
    environment: dict[str, str]


@contextlib.asynccontextmanager
async def running(launch: str, state_dir: Path) -> AsyncIterator[System]:
    """The system of a launch file; on leaving it is stopped, and it is checked that none of its processes is left."""
    # A socket's path has at most 107 bytes, so the run directory is not below the caller's.
    run_dir = Path(tempfile.mkdtemp(prefix="sage-demo-"))
    environment = {**os.environ, "SAGE_RUN_DIR": str(run_dir), "SAGE_STATE_DIR": str(state_dir)}
    system = System(run_dir, state_dir, environment)
    try:
        await _sage(system, "up", launch, "--detach", "--timeout", str(UP_S))
        try:
            yield system
        finally:
            left = processes(system)
            await _sage(system, "down", "--timeout", str(DOWN_S))
            alive = {name: pid for name, pid in left.items() if Path(f"/proc/{pid}").exists()}
            if alive:
                raise DemoFailed(f"these processes are left: {alive}", place=str(run_dir))
    finally:
        shutil.rmtree(run_dir, ignore_errors=True)


def processes(system: System) -> dict[str, int]:
    """Name → process id of everything the supervisor runs."""
    with contextlib.suppress(OSError, ValueError):
        shown = json.loads((system.run_dir / "supervisor.json").read_text())
        return {one["name"]: one["pid"] for one in shown["nodes"] if one.get("pid")}
    return {}


async def _sage(system: System, *arguments: str) -> None:
    """Run a verb of the command line to its end, its output shown. Raises `DemoFailed` with what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "runtime.cli", *arguments, env=system.environment, stdout=sys.stderr
    )
    if await process.wait():
        raise DemoFailed(
            f"`sage {' '.join(arguments)}` ended with status {process.returncode}", remedy="its last words stand above"
        )
