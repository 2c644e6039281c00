"""A whole system under test: `sage up FILE --json` in a process of its own. Its records are the tests' only clock."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from runtime.supervisor.control import Request, ask
from runtime.supervisor.records import decode
from runtime.supervisor.state import NodeState, SupervisorState

CHILD = Path(__file__).with_name("child.py")
ROOT = Path(__file__).parents[3]
PATIENCE = 30.0


def sage(verb: str, *arguments: str) -> list[str]:
    """The command line of one verb."""
    return [sys.executable, "-c", f"from runtime.supervisor.commands import {verb}; {verb}()", *arguments]


def child(*deeds: str) -> str:
    """A launch file's `command` that does these deeds."""
    return json.dumps([sys.executable, str(CHILD), *deeds])


class System:
    """One run directory, and the system in it."""

    def __init__(self, directory: Path, launch: str) -> None:
        self.directory = directory
        self.run_dir = directory / "run"
        self.file = directory / "launch.yaml"
        self.file.write_text(launch)
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SAGE_RUN_DIR": str(self.run_dir),
            "SAGE_STATE_DIR": str(directory / "state"),
        }
        self.records: list[dict[str, Any]] = []
        self._popen: subprocess.Popen[bytes] | None = None

    # -- running it -------------------------------------------------------------------------------------------------

    def up(self) -> "System":
        self._popen = subprocess.Popen(
            sage("up", str(self.file), "--json"),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        return self

    def do(self, verb: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Another command in the same run directory."""
        return subprocess.run(
            sage(verb, *arguments), env=self.environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    def has(self, event: str, **fields: Any) -> dict[str, Any]:
        """The record of this event, if it was told already; otherwise read on until it is."""
        told = (r for r in self.records if r.get("event") == event and fields.items() <= r.items())
        return next(told, None) or self.until(event, **fields)

    def until(self, event: str, **fields: Any) -> dict[str, Any]:
        """Read on until this event is told (again), and return its record."""
        assert self._popen is not None
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            record = json.loads(line)
            self.records.append(record)
            if record.get("event") == event and fields.items() <= record.items():
                return record
        assert self._popen.stderr is not None
        raise AssertionError(f"{event} never came; stderr: {self._popen.stderr.read().decode()}; {self.told()}")

    def ended(self) -> int:
        """Read everything to the end, which a kill may have torn; the exit code."""
        assert self._popen is not None
        assert self._popen.stdout is not None
        self.records += filter(None, map(decode, self._popen.stdout))
        self._popen.communicate(timeout=PATIENCE)
        return self._popen.returncode

    def signal(self, sign: signal.Signals) -> None:
        os.kill(self.guard, sign)

    def clean_up(self) -> None:
        """Whatever a test did, leave nothing running."""
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if self._popen is not None and self._popen.returncode is None:
            self._popen.communicate(timeout=PATIENCE)

    # -- looking at it ----------------------------------------------------------------------------------------------

    @property
    def guard(self) -> int:
        assert self._popen is not None
        return self._popen.pid

    def state(self) -> SupervisorState:
        state = ask(self.run_dir, Request("status")).state
        assert state is not None
        return state

    def node(self, name: str) -> NodeState:
        return next(node for node in self.state().nodes if node.name == name)

    def told(self, *events: str) -> list[tuple[str, str]]:
        """What was told so far: pairs of event and node, of these events or of all."""
        pairs = [(str(r.get("event")), str(r.get("about", r["node"]))) for r in self.records]
        return [(event, node) for event, node in pairs if not events or event in events]

    def record(self, event: str, node: str) -> dict[str, Any]:
        """The last record of this event of this node, among what was told so far."""
        return next(r for r in reversed(self.records) if r.get("event") == event and r.get("about", r["node"]) == node)

    def processes(self) -> list[int]:
        """Every living process that was started with this run directory, however far it has gone."""
        mark = f"SAGE_RUN_DIR={self.run_dir}".encode()
        return [
            int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdecimal() and _has(folder, mark)
        ]


def gone(pids: Iterable[int]) -> bool:
    """Wait until all these processes have ended; False if one outlives our patience."""
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        ready, _, _ = select.select([descriptor], [], [], PATIENCE)
        os.close(descriptor)
        if not ready:
            return False
    return True


def _has(folder: Path, mark: bytes) -> bool:
    try:
        return mark in (folder / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
