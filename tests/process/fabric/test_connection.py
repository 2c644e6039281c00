"""A process's connection, with the hub in the same loop: what it is told, and what it refuses."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog

from protocol.errors import BadRequest, HubLost, NameTaken
from protocol.messages.hub import ListNodes, Register
from runtime.bus.connection import Bus
from runtime.hub.hub import Hub
from tests.fabric import PATIENCE_S


class Here:
    """A run directory with a hub in it, and connections to it."""

    def __init__(self, stack: contextlib.AsyncExitStack) -> None:
        # Not pytest's tmp_path: a unix socket's path has at most 107 bytes.
        self.run_dir = Path(tempfile.mkdtemp(prefix="sg"))
        self._stack = stack
        stack.callback(shutil.rmtree, self.run_dir)

    async def open_hub(self) -> Hub:
        hub = Hub(self.run_dir, "here", structlog.get_logger())
        hub.open()
        self._stack.push_async_callback(hub.close)
        return hub

    async def connect(self, name: str, register: Register | None = None) -> Bus:
        bus = Bus(name=name, run_dir=self.run_dir, host="here", log=structlog.get_logger())
        if register is not None:
            bus.registration = lambda: register
        await bus.connect()
        self._stack.push_async_callback(bus.close)
        return bus


@pytest.fixture
async def here() -> AsyncIterator[Here]:
    async with contextlib.AsyncExitStack() as stack:
        yield Here(stack)


async def test_who_is_refused_is_told_why_not_that_there_is_no_hub(here: Here) -> None:
    await here.open_hub()
    first = await here.connect("ear", Register(name="ear", pid=os.getpid(), epoch=1))
    await first.wait_live(PATIENCE_S)
    second = await here.connect("ear", Register(name="ear", pid=os.getppid(), epoch=2))
    with pytest.raises(NameTaken, match="is registered under this name and alive"):
        await second.wait_live(1)


async def test_where_there_is_no_hub_that_is_said(here: Here) -> None:
    bus = await here.connect("ear")
    with pytest.raises(HubLost, match="no hub answered"):
        await bus.wait_live(0.1)


@pytest.mark.parametrize("deadline", [0, -1, math.nan, math.inf, 1e300])
async def test_what_is_no_deadline_is_refused_before_anything_is_sent(here: Here, deadline: float) -> None:
    bus = await here.connect("ear")
    with pytest.raises(BadRequest, match="deadline"):
        await bus.call("hub", ListNodes(), deadline=deadline)
