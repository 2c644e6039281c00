"""The processes of a benchmark, and the line on which each takes commands. None outlives the run."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import msgspec

from protocol.errors import SageError
from runtime.bench.peers.control import ADDRESS

_START_S = 20.0
_ANSWER_S = 60.0
_STOP_S = 3.0
_LINE_LIMIT = 1 << 24
_SHOWN_LINES = 8
_PR_SET_PDEATHSIG = 1


class ChildFailed(SageError):
    """A process of the benchmark did not start, ended, or could not do what it was told."""

    code = "bench.child_failed"


def own_session() -> None:
    """In the child, before it becomes the program: its own process group, and a signal when we die."""
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Remote:
    """A measured process, as seen from here: ask it one thing at a time."""

    def __init__(self, name: str, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.name = name
        self.pid = pid
        self._reader = reader
        self._writer = writer

    async def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Its answer to a command. Raises `ChildFailed` where it ended, failed, or did not answer in time."""
        self._writer.write(msgspec.json.encode({"do": do, **arguments}) + b"\n")
        try:
            async with asyncio.timeout(_ANSWER_S):
                line = await self._reader.readline()
        except TimeoutError:
            raise ChildFailed(f"{do!r} was not answered within {_ANSWER_S:g} s", place=self.name) from None
        if not line:
            raise ChildFailed(f"ended while it was asked {do!r}", place=self.name)
        answer = cast("dict[str, Any]", msgspec.json.decode(line))
        if "error" in answer:
            raise ChildFailed(f"{do!r} failed: {answer['error']}", place=self.name)
        return answer

    def hang_up(self) -> None:
        self._writer.close()


class Children:
    """Starts processes, waits until they say that they are ready, ends them. Made by `children`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._address = directory / "control"
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._remotes: dict[str, asyncio.Future[Remote]] = {}

    async def open(self) -> asyncio.Server:
        return await asyncio.start_unix_server(self._greet, self._address, limit=_LINE_LIMIT)

    async def start(self, label: str, *command: str, env: Mapping[str, str] | None = None) -> None:
        """Start a process. What it prints goes to a file that is shown if it fails."""
        environment = {**os.environ, ADDRESS: str(self._address), "OMP_NUM_THREADS": "1", **(env or {})}
        with self._log(label).open("wb") as log:
            try:
                self._processes[label] = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=environment,
                    cwd=self.directory,
                    preexec_fn=own_session,
                )
            except OSError as error:
                raise ChildFailed(f"does not start: {error}", place=command[0]) from error

    async def ready(self, name: str, label: str) -> Remote:
        """The line of process `name`, once it has greeted. Raises `ChildFailed` if process `label` ends before."""
        process = self._processes[label]
        ended = asyncio.ensure_future(process.wait())
        waiting = self._remote(name)
        both: set[asyncio.Future[Any]] = {waiting, ended}
        await asyncio.wait(both, timeout=_START_S, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if waiting.done():
            return waiting.result()
        why = f"was not ready within {_START_S:g} s" if process.returncode is None else f"ended ({process.returncode})"
        raise ChildFailed(f"{name} {why}: {self._last_lines(label)}", place=label)

    async def stop(self) -> None:
        """Close the lines, which ends most; tell the rest to end, then make them."""
        for waiting in self._remotes.values():
            if waiting.done():
                waiting.result().hang_up()
        running = [process for process in self._processes.values() if process.returncode is None]
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in running:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
            if running:
                await asyncio.wait([asyncio.ensure_future(process.wait()) for process in running], timeout=_STOP_S)
            running = [process for process in running if process.returncode is None]

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        if line:
            hello = msgspec.json.decode(line)
            waiting = self._remote(hello["hello"])
            if not waiting.done():
                waiting.set_result(Remote(hello["hello"], hello["pid"], reader, writer))

    def _remote(self, name: str) -> asyncio.Future[Remote]:
        if name not in self._remotes:
            self._remotes[name] = asyncio.get_running_loop().create_future()
        return self._remotes[name]

    def _log(self, label: str) -> Path:
        return self.directory / f"{label}.log"

    def _last_lines(self, label: str) -> str:
        lines = self._log(label).read_text(errors="replace").splitlines()
        return " | ".join(lines[-_SHOWN_LINES:]) or "it printed nothing"


@asynccontextmanager
async def children(directory: Path) -> AsyncIterator[Children]:
    """Processes with their files in `directory`; all of them are gone when this is left."""
    family = Children(directory)
    server = await family.open()
    try:
        yield family
    finally:
        await family.stop()
        server.close()
