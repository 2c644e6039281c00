"""Processes of a benchmark: started, asked, and gone afterwards."""

import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from runtime.bench.children import ChildFailed, children

ROOT = str(Path(__file__).resolve().parents[3])

CHILD = """
from runtime.bench.peers.control import Control
def double(number): return {"doubled": 2 * number}
def fail(): raise ValueError("on purpose")
def leave(): raise SystemExit
Control("child", {"double": double, "fail": fail, "leave": leave}).serve()
"""


@pytest.fixture
def directory():
    made = Path(tempfile.mkdtemp(prefix="sg"))
    yield made
    shutil.rmtree(made)


async def start(family, program):
    await family.start("kid", sys.executable, "-c", program, env={"PYTHONPATH": ROOT})
    return await family.ready("child", "kid")


async def test_a_child_answers_what_it_is_asked_and_is_gone_at_the_end(directory):
    async with children(directory) as family:
        child = await start(family, CHILD)
        assert await child.ask("double", number=21) == {"doubled": 42}
        with pytest.raises(ChildFailed, match="ValueError: on purpose"):
            await child.ask("fail")
        assert await child.ask("double", number=1) == {"doubled": 2}
        os.kill(child.pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


async def test_a_child_that_ends_while_it_is_asked_is_an_error_at_once(directory):
    async with children(directory) as family:
        child = await start(family, CHILD)
        with pytest.raises(ChildFailed, match="ended while it was asked 'leave'"):
            await child.ask("leave")


async def test_a_child_that_does_not_start_shows_its_last_lines(directory):
    async with children(directory) as family:
        with pytest.raises(ChildFailed, match=r"ended \(3\).*no luck today"):
            await start(family, "import sys; print('no luck today'); sys.exit(3)")


async def test_a_program_that_is_not_there_is_named(directory):
    async with children(directory) as family:
        with pytest.raises(ChildFailed, match="/no/such/program"):
            await family.start("kid", "/no/such/program")


async def test_a_child_that_will_not_end_is_made_to(directory, monkeypatch):
    monkeypatch.setattr("runtime.bench.children._STOP_S", 0.2)
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + CHILD + "\nsignal.pause()"
    async with children(directory) as family:
        child = await start(family, stubborn)
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


async def test_children_are_gone_when_the_run_is_cancelled(directory):
    pids = []

    async def run():
        async with children(directory) as family:
            pids.append((await start(family, CHILD)).pid)
            await asyncio.Event().wait()

    running = asyncio.get_running_loop().create_task(run())
    while not pids:
        await asyncio.wait([running], timeout=0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
