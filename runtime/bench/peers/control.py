"""A measured process's line to the one that measures: one JSON object each way, over a unix socket.

The line is also a leash: when the measuring process ends, however it ends, the line closes and this process leaves.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable
from typing import Any

ADDRESS = "SAGE_BENCH_CONTROL"
"""Environment variable with the path of the socket."""

Command = Callable[..., dict[str, Any]]


class Control:
    """Answers commands by name. Made when the process is ready to be measured."""

    def __init__(self, name: str, commands: dict[str, Command]) -> None:
        self._commands = commands
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(os.environ[ADDRESS])
        self._lines = self._socket.makefile("rwb")
        self._say({"hello": name, "pid": os.getpid()})

    def serve(self) -> None:
        """Answer until the line closes. A command that fails is answered with its error."""
        for line in self._lines:
            arguments = json.loads(line)
            command = self._commands[arguments.pop("do")]
            try:
                answer = command(**arguments)
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            self._say(answer)

    def serve_beside(self, at_end: Callable[[], object]) -> None:
        """Answer in a thread, beside the work that is measured; `at_end` is called when the line closes."""

        def serve() -> None:
            try:
                self.serve()
            finally:
                at_end()

        threading.Thread(target=serve, name="control", daemon=True).start()

    def _say(self, value: dict[str, Any]) -> None:
        self._lines.write(json.dumps(value).encode() + b"\n")
        self._lines.flush()


def leave() -> None:
    """End this process at once: a thread may be deep inside a library that cannot be asked to stop."""
    os._exit(0)
