"""Talking to a running supervisor: one JSON object a line over a unix socket in the run directory, one line back.

    {"do": "status"}                                        → the state
    {"do": "wait", "timeout": 30}                           → the state, once all are ready, or one has failed
    {"do": "start" | "stop" | "restart", "node": "dialogue"} → its state, once it is there, or has failed
    {"do": "down"}                                          → the state; then everything stops in order

Who waits longer than `timeout` gets the state as it is then. An error comes back as {"error": {"code", "message", …}}.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from protocol.errors import ErrorBody, SageError, from_body
from runtime.launch.plan import CONTROL_SOCKET
from runtime.paths import socket_path
from runtime.supervisor.state import NodeState, SupervisorState

MAX_REQUEST = 16 * 1024
DEFAULT_TIMEOUT = 30.0


class NotRunning(SageError):
    """No supervisor answers in this run directory."""

    code = "not_running"


class BadControl(SageError):
    """A request to the supervisor that it does not understand or cannot follow now."""

    code = "control"


class Request(Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody wants of the supervisor."""

    do: Literal["status", "wait", "start", "stop", "restart", "down"]
    node: str = ""
    timeout: float = DEFAULT_TIMEOUT


class Reply(Struct, frozen=True, omit_defaults=True):
    """One of the three is set."""

    state: SupervisorState | None = None
    node: NodeState | None = None
    error: ErrorBody | None = None


class ControlServer:
    """Listens in `run_dir`; `answer` is asked for each request."""

    def __init__(self, run_dir: Path, answer: Callable[[Request], Awaitable[Reply]]) -> None:
        self._path = socket_path(run_dir, CONTROL_SOCKET)
        self._answer = answer
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._converse, self._path, limit=MAX_REQUEST)
        self._path.chmod(0o600)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._path.unlink(missing_ok=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(msgspec.json.encode(await self._reply(line)) + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            return  # the caller has gone, or its line had no end
        finally:
            writer.close()

    async def _reply(self, line: bytes) -> Reply:
        try:
            return await self._answer(msgspec.json.decode(line, type=Request))
        except msgspec.MsgspecError as error:
            return Reply(error=BadControl(f"not a request: {error}").to_body())
        except SageError as error:
            return Reply(error=error.to_body())


def ask(run_dir: Path, request: Request) -> Reply:
    """Send one request and wait for its reply. NotRunning if nobody answers; the supervisor's errors rise here."""
    path = socket_path(run_dir, CONTROL_SOCKET)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
        connection.settimeout(request.timeout + 5.0)
        try:
            connection.connect(str(path))
            connection.sendall(msgspec.json.encode(request) + b"\n")
            reply = msgspec.json.decode(_line(connection), type=Reply)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunning("no supervisor runs here", place=str(run_dir), remedy="sage up") from error
        except (OSError, msgspec.MsgspecError) as error:
            raise NotRunning(
                f"the supervisor does not answer ({error or type(error).__name__})",
                place=str(path),
                remedy="sage down --kill",
            ) from error
    if reply.error is not None:
        raise from_body(reply.error)
    return reply


def _line(connection: socket.socket) -> bytes:
    received = bytearray()
    while not received.endswith(b"\n"):
        chunk: Any = connection.recv(65536)
        if not chunk:
            raise ConnectionError("it closed the connection")
        received += chunk
    return bytes(received)
