"""A small running system for tests: a hub and nodes as real processes in a directory of their own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from protocol.errors import SageError
from protocol.messages.hub import ListNodes, NodeRecord, Registry
from protocol.messages.node import NodeState
from runtime.client import Client

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 60.0
"""How long a test waits for something that must happen. Long: the machine may be busy; it is no measurement."""


class Fabric:
    """Processes of one run directory."""

    def __init__(self, directory: Path) -> None:
        self.run_dir = directory / "run"
        self.state_dir = directory / "state"
        self.logs = directory / "logs"
        self.processes: dict[str, asyncio.subprocess.Process] = {}
        self._client: Client | None = None
        for path in (self.run_dir, self.state_dir, self.logs):
            path.mkdir(mode=0o700)

    @property
    def client(self) -> Client:
        assert self._client is not None
        return self._client

    def environment(self, name: str, params: Mapping[str, Any] | None = None) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SAGE_RUN_DIR": str(self.run_dir),
            "SAGE_STATE_DIR": str(self.state_dir),
            "SAGE_SHM_DIR": str(self.run_dir / "shm"),
            "SAGE_NODE": name,
            "SAGE_PARAMS": json.dumps(dict(params or {})),
            "SAGE_LOG": "json",
            "OMP_NUM_THREADS": "1",
        }

    async def hub(self) -> None:
        """Start the hub, or start it again."""
        await self.process("hub", sys.executable, "-m", "runtime.hub")

    async def node(self, module: str, name: str, params: Mapping[str, Any] | None = None) -> NodeRecord:
        """Start `python -m module` (or a script) as node `name` and wait until it is ready."""
        target = [module] if module.endswith(".py") else ["-m", module]
        await self.process(name, sys.executable, *target, params=params)
        return await self.wait_for(name, NodeState.READY, NodeState.DEGRADED, pid=self.processes[name].pid)

    async def process(self, name: str, *argv: str, params: Mapping[str, Any] | None = None) -> None:
        with open(self.logs / f"{name.replace('/', '.')}.log", "ab") as log:
            self.processes[name] = await asyncio.create_subprocess_exec(
                *argv, env=self.environment(name, params), stdout=log, stderr=log, cwd=ROOT, start_new_session=True
            )

    async def wait_for(self, name: str, *states: NodeState, pid: int | None = None) -> NodeRecord:
        """Wait until the hub knows the node in one of the states. Fails with the node's last lines."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for record in await self.records():
                    if record.name == name and record.state in states and pid in (None, record.pid):
                        return record
                process = self.processes.get(name)
                if process is not None and process.returncode is not None and NodeState.READY in states:
                    raise AssertionError(f"{name} ended with status {process.returncode}:\n{self.log(name)[-3000:]}")
                await asyncio.sleep(0.02)

    async def records(self) -> list[NodeRecord]:
        with contextlib.suppress(SageError):
            registry: Registry = await self.client.call("hub", ListNodes(), deadline=5)
            return registry.nodes
        return []

    def log(self, name: str) -> str:
        return (self.logs / f"{name.replace('/', '.')}.log").read_text()

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        self.processes[name].send_signal(number)

    async def end(self, name: str, number: int = signal.SIGTERM) -> int:
        """Signal the process and wait for its end; its exit status."""
        process = self.processes[name]
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        async with asyncio.timeout(PATIENCE_S):
            return await process.wait()


@contextlib.asynccontextmanager
async def fabric() -> AsyncIterator[Fabric]:
    """A hub and a client; on leaving, every process is ended."""
    # Not pytest's tmp_path: a unix socket's path has at most 107 bytes.
    directory = Path(tempfile.mkdtemp(prefix="sg"))
    made = Fabric(directory)
    try:
        await made.hub()
        async with asyncio.timeout(PATIENCE_S):
            while not (made.run_dir / "calls").exists():
                await asyncio.sleep(0.01)
        async with Client.connect(made.run_dir, name="test", deadline=PATIENCE_S) as client:
            made._client = client
            yield made
    finally:
        for process in made.processes.values():
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        shutil.rmtree(directory, ignore_errors=True)
