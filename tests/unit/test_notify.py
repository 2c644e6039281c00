import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Self

import pytest

from runtime.notify import MAX_DATAGRAM, Notification, Notifier, NotifyServer, parse, sender


class Listening:
    """A server whose notifications can be awaited."""

    def __init__(self, path: Path) -> None:
        self.got: asyncio.Queue[Notification] = asyncio.Queue()
        self.server = NotifyServer(path, self.got.put_nowait)

    async def __aenter__(self) -> Self:
        self.server.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()

    def notifier(self, **environment: str) -> Notifier:
        return Notifier({"NOTIFY_SOCKET": str(self.server.path), **environment})


async def test_what_is_said_arrives_with_the_kernels_word_on_who_said_it(tmp_path: Path) -> None:
    async with Listening(tmp_path / "s") as listening:
        notifier = listening.notifier()
        assert notifier.ready("all\nhere")
        assert notifier.beat()
        assert notifier.extend(1.5)
        assert notifier.state("degraded", "no microphone")
        assert notifier.stopping()
        got = [await listening.got.get() for _ in range(5)]
        notifier.close()
    assert {one.pid for one in got} == {os.getpid()}
    assert [one.fields for one in got] == [
        {"READY": "1", "X_SAGE_STATE": "ready", "STATUS": "all here"},
        {"WATCHDOG": "1"},
        {"EXTEND_TIMEOUT_USEC": "1500000"},
        {"X_SAGE_STATE": "degraded", "STATUS": "no microphone"},
        {"STOPPING": "1", "X_SAGE_STATE": "stopping"},
    ]


async def test_another_process_is_known_by_its_own_id(tmp_path: Path) -> None:
    async with Listening(tmp_path / "s") as listening:
        program = "from runtime.notify import Notifier; Notifier().ready()"
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, env={**os.environ, "NOTIFY_SOCKET": str(listening.server.path)}
        )
        notification = await listening.got.get()
        assert await child.wait() == 0
    assert notification == Notification(child.pid, {"READY": "1", "X_SAGE_STATE": "ready"})


async def test_malformed_datagrams_are_counted_and_harm_nothing(tmp_path: Path) -> None:
    async with Listening(tmp_path / "s") as listening:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as raw:
            for data in (b"\xff\xfe", b"no equals sign", b"=x", b"A=" + b"x" * (2 * MAX_DATAGRAM), b"READY=1"):
                raw.sendto(data, str(listening.server.path))
        assert (await listening.got.get()).fields == {"READY": "1"}
        stats = listening.server.stats
    assert (stats.received, stats.malformed, stats.foreign) == (5, 4, 0)


async def test_the_socket_is_gone_afterwards_and_a_stale_one_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    stale = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    stale.bind(str(path))
    stale.close()
    async with Listening(path):
        assert path.stat().st_mode & 0o777 == 0o600
    assert not path.exists()


def test_without_a_supervisor_everything_is_a_no_op() -> None:
    notifier = Notifier({})
    assert not notifier.ready()
    assert not notifier.beat()
    assert notifier.watchdog is None


def test_a_supervisor_that_is_gone_stops_nobody(tmp_path: Path) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    assert not notifier.ready()
    notifier.close()


def test_a_beat_does_not_wait_for_a_supervisor_that_does_not_read(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(str(tmp_path / "s"))
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "s")})
        beats = 0
        while notifier.beat():
            beats += 1
        assert beats > 0
        notifier.close()


def test_abstract_sockets_are_understood() -> None:
    name = f"sage-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind("\0" + name)
        notifier = Notifier({"NOTIFY_SOCKET": "@" + name})
        assert notifier.ready()
        assert server.recv(100) == b"READY=1\nX_SAGE_STATE=ready"
        notifier.close()


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({"WATCHDOG_USEC": "2500000"}, 2.5),
        ({"WATCHDOG_USEC": "2500000", "WATCHDOG_PID": str(os.getpid())}, 2.5),
        ({"WATCHDOG_USEC": "2500000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_says_how_often_to_beat(environment: dict[str, str], seconds: float | None) -> None:
    assert Notifier(environment).watchdog == seconds


def test_nobody_said_who_sent_it() -> None:
    assert sender([]) == (0, -1)
    assert sender([(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, b"short")]) == (0, -1)


def test_values_may_hold_equals_signs() -> None:
    assert parse(b"STATUS=a=b\nREADY=1") == {"STATUS": "a=b", "READY": "1"}


def test_notifying_is_light() -> None:
    program = "import sys, runtime.notify; print(*sorted({'zmq', 'torch', 'yaml', 'structlog'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
