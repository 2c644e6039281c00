"""A process's connection, with the hub in the same loop: what it is told, and what it refuses."""

from __future__ import annotations

import math
import os

import pytest

from protocol.errors import BadRequest, HubLost, NameTaken
from protocol.messages.hub import ListNodes, Register
from tests.fabric import PATIENCE_S
from tests.process.fabric.here import Here


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
