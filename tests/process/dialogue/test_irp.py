"""The IRP plugin as a client of a running system: it refines, can be given up, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading

import pytest

from nodes.dialogue.irp import HierarchicalCognitiveIRP, RunningSystem
from protocol.errors import BadRequest, Cancelled, DeadlineExceeded, HubLost
from protocol.messages.dialogue import ForgetSession
from protocol.messages.node import NodeState
from tests.fabric import PATIENCE_S, Fabric, fabric

STAND_INS = "tests.process.dialogue.stand_ins"
ASKED = "what is two plus two"


@pytest.fixture
async def system():
    async with fabric() as made:
        for level, (text, confidence) in {"sensory": ("five", 0.3), "specialized": ("four", 0.97)}.items():
            name = f"model_worker/{level}"
            params = {"text": text, "confidence": confidence}
            await made.process(name, sys.executable, "-m", STAND_INS, "worker", params=params)
            await made.wait_for(name, NodeState.READY)
        await made.node("nodes.dialogue.node", "dialogue")
        yield made


async def test_it_refines_from_a_thread_and_from_within_a_loop_and_leaves_nothing(system: Fabric) -> None:
    threads = threading.active_count()
    port = RunningSystem(system.run_dir)
    plugin = HierarchicalCognitiveIRP(port)
    task = {"level": "sensory", "deadline_s": PATIENCE_S, "target": 0.2}
    first, history = await asyncio.to_thread(plugin.refine, ASKED, task)
    assert (first.x, first.meta["ended"]) == ("four", "converged")
    assert [reply.level for reply in history[-1].replies] == ["sensory", "specialized"]
    assert list(history[-1].meta["failed"]) == ["tactical"]
    # Here the loop of the test waits meanwhile; the plugin has one of its own.
    again, _ = plugin.refine(ASKED, task)
    assert again.x == "four"
    assert {thread.name for thread in threading.enumerate()}.isdisjoint({"irp"})
    assert threading.active_count() <= threads + 1  # the pool thread that `to_thread` keeps
    name = f"irp/{history[-1].meta['name']}/0"
    forgotten = await system.client.call("dialogue", ForgetSession(session=name), deadline=PATIENCE_S)
    assert forgotten.messages == 0


async def test_it_is_given_up_and_runs_out_of_time_while_a_worker_is_frozen(system: Fabric) -> None:
    system.kill("model_worker/sensory", signal.SIGSTOP)
    try:
        plugin = HierarchicalCognitiveIRP(RunningSystem(system.run_dir))
        with pytest.raises(Cancelled):
            await asyncio.to_thread(plugin.refine, ASKED, {"level": "sensory", "cancelled": lambda: True})
        with pytest.raises(DeadlineExceeded):
            await asyncio.to_thread(plugin.refine, ASKED, {"level": "sensory", "deadline_s": 0.5})
    finally:
        system.kill("model_worker/sensory", signal.SIGCONT)


async def test_a_conversation_cannot_be_brought_along_and_a_system_has_to_run(system: Fabric, tmp_path) -> None:
    told = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
    plugin = HierarchicalCognitiveIRP(RunningSystem(system.run_dir))
    with pytest.raises(BadRequest, match="keeps its conversations itself"):
        await asyncio.to_thread(plugin.refine, [*told, {"role": "user", "content": ASKED}], {"most": 1})
    nowhere = tmp_path / "run"
    nowhere.mkdir(mode=0o700)
    with pytest.raises(HubLost):
        await asyncio.to_thread(HierarchicalCognitiveIRP(RunningSystem(nowhere)).refine, ASKED, {"most": 1})
