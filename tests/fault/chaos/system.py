"""The system under test: begun by `sage up --detach`, looked at from outside, injured, and ended by `sage down`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from runtime import paths
from runtime.supervisor import state
from runtime.supervisor.child import UP
from runtime.supervisor.state import NodeState, SupervisorState

LAUNCH = Path(__file__).with_name("system.yaml")
ROOT = Path(__file__).parents[3]
UP_S = 180
DOWN_S = 60
GUARD_S = 30.0
LOOK_S = 0.05
"""How often the outside is looked at while something is waited for."""


class ChaosError(Exception):
    """The system did not do what every further step rests on."""


@dataclass(frozen=True)
class Body:
    """What a process holds."""

    pid: int
    descriptors: int
    resident: int
    """bytes"""


class System:
    """One run directory and one state directory below `directory`, whose path must be short."""

    def __init__(self, directory: Path, levels: str = "") -> None:
        self.run_dir = directory / "run"
        self.state_dir = directory / "state"
        self._settings = {"metabolism": str(_calm(directory)), **({"levels": levels} if levels else {})}
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SAGE_RUN_DIR": str(self.run_dir),
            "SAGE_STATE_DIR": str(self.state_dir),
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
        }

    async def up(self) -> None:
        """Start it and wait until all are ready. Raises `ChaosError` with what `sage up` said."""
        settings = [word for name, value in self._settings.items() for word in ("--set", f"{name}={value}")]
        code, said = await self._sage("up", str(LAUNCH), "--detach", "--timeout", str(UP_S), *settings)
        if code != 0:
            raise ChaosError(f"sage up ended with {code}: {said}")

    async def down(self) -> tuple[int, str]:
        """Stop it in order; the exit code and the words of `sage down`."""
        return await self._sage("down", "--timeout", str(DOWN_S))

    def state(self) -> SupervisorState:
        """What the supervisor shows of itself."""
        shown = state.read(self.run_dir)
        if shown is None:
            raise ChaosError(f"the supervisor shows no state in {self.run_dir}")
        return shown

    def node(self, name: str) -> NodeState:
        return next(node for node in self.state().nodes if node.name == name)

    def nodes(self) -> list[str]:
        return [node.name for node in self.state().nodes]

    def not_up(self) -> list[str]:
        """The nodes that are not ready, each with where it is instead."""
        return [f"{node.name} is {node.phase}: {node.reason}" for node in self.state().nodes if node.phase not in UP]

    async def living(self, name: str) -> int:
        """Wait for a process of the node, whatever it is doing; its id."""
        while True:
            pid = self.node(name).pid
            if pid is not None and self._is_ours(pid):
                return pid
            await asyncio.sleep(LOOK_S)

    async def replaced(self, name: str, pid: int) -> None:
        """Wait until the node is up as another process."""
        while (node := self.node(name)).pid in (pid, None) or node.phase not in UP:
            await asyncio.sleep(LOOK_S)

    def signal(self, pid: int, sign: signal.Signals) -> bool:
        """Signal a process of this system; False if it is gone."""
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return False
        try:
            if not self._is_ours(pid):  # the number may have been given to another process meanwhile
                return False
            signal.pidfd_send_signal(descriptor, sign)
        except ProcessLookupError:
            return False
        finally:
            os.close(descriptor)
        return True

    def processes(self) -> list[int]:
        """Every living process that was started with this run directory, however far it has gone."""
        return [int(folder) for folder in os.listdir("/proc") if folder.isdecimal() and self._is_ours(int(folder))]

    def kill_all(self) -> None:
        """Whatever has happened, leave nothing running."""
        while left := self.processes():
            for pid in left:
                self.signal(pid, signal.SIGKILL)

    def _is_ours(self, pid: int) -> bool:
        try:
            return f"SAGE_RUN_DIR={self.run_dir}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            return False

    async def _sage(self, *arguments: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "runtime.cli", *arguments),
            env=self._environment,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, said.decode(errors="replace").strip()


def _calm(directory: Path) -> Path:
    """A metabolism that leaves a crisis soon: as it ships, failures would hold it there, and no number would move."""
    shipped = yaml.safe_load(paths.shipped("configs/metabolism.yaml").read_text())
    shipped["crisis"] |= {"enter_errors": 6, "window": "5s", "dwell": "2s"}
    written = directory / "metabolism.yaml"
    written.write_text(yaml.safe_dump(shipped))
    return written


def body(pid: int) -> Body:
    """What process `pid` holds now. Raises `ProcessLookupError` where it has ended."""
    try:
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except FileNotFoundError as error:
        raise ProcessLookupError(pid) from error
    return Body(pid, descriptors, resident)
