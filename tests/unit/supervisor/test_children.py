"""The shell around the state machines, as far as it needs no process."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from runtime.notify import Notification
from runtime.supervisor.child import Child
from runtime.supervisor.children import Children
from runtime.supervisor.console import Console
from runtime.supervisor.journal import Journal
from runtime.supervisor.state import Counters
from tests.unit.supervisor.lives import process


@pytest.fixture
async def children(tmp_path: Path) -> Iterator[Children]:
    read, write = os.pipe()
    counters = Counters()
    console = Console(write, "silent", width=0)
    journal = Journal(tmp_path, console, counters)
    yield Children([process("ears")], journal, counters, lambda: None)
    journal.close()
    console.close()
    os.close(read)


def ready(children: Children, deadline: float) -> None:
    """Let `ears` be ready, though there is no process."""
    children._children["ears"] = Child(process=process("ears"), phase="ready", deadline=deadline)


async def test_a_deadline_that_passed_while_we_stood_still_is_forgiven(children: Children) -> None:
    now = asyncio.get_running_loop().time()
    ready(children, deadline=now - 100)
    children._due(now - 100)
    child = children["ears"]
    assert child.phase == "ready"
    assert child.deadline == pytest.approx(now + 10, abs=1)


async def test_a_deadline_that_passed_in_time_is_not(children: Children) -> None:
    now = asyncio.get_running_loop().time()
    ready(children, deadline=now - 0.01)
    children._due(now - 0.01)
    assert children["ears"].phase == "stopping"


async def test_a_notification_of_a_stranger_is_counted_and_moves_nobody(children: Children) -> None:
    ready(children, deadline=1e12)
    before = msgspec.structs.asdict(children["ears"])
    children.notified(Notification(os.getpid(), {"STOPPING": "1"}))
    children.notified(Notification(0, {"STOPPING": "1"}))
    assert msgspec.structs.asdict(children["ears"]) == before
    assert children._counters.notifications_unattributed == 2
