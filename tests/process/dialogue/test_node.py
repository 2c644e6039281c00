"""Dialogue as a process among others: it answers by call and by voice, and loses nothing when it is killed."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections import Counter

import pytest

from nodes.dialogue.deliveries import DESTINATIONS
from protocol.errors import BadRequest, SageError
from protocol.messages.audio import Stage, Utterance
from protocol.messages.context import Context
from protocol.messages.dialogue import Ask, ForgetSession, TraceRequest
from protocol.messages.node import NodeState
from protocol.messages.speech import Spoken
from runtime import paths
from tests.fabric import PATIENCE_S, Fabric, fabric

STAND_INS = "tests.process.dialogue.stand_ins"
LEVELS = ("sensory", "tactical", "specialized")


@pytest.fixture
async def system():
    async with fabric() as made:
        yield made


async def stand_in(system: Fabric, kind: str, name: str, **params: object) -> None:
    await system.process(name, sys.executable, "-m", STAND_INS, kind, params=params)
    await system.wait_for(name, NodeState.READY)


async def dialogue(system: Fabric, **params: object) -> None:
    await system.node("nodes.dialogue.node", "dialogue", params=params)


def daring(system: Fabric) -> str:
    """A configuration by which small levels may answer what is novel before they have shown anything there."""
    shipped = paths.shipped("configs/dialogue.yaml").read_text()
    path = system.state_dir / "daring.yaml"
    path.write_text(shipped.replace("novel_outcomes: 8", "novel_outcomes: 0"))
    return str(path)


async def ask(system: Fabric, text: str, **changes: object):
    return await system.client.call("dialogue", Ask(text=text, **changes), deadline=PATIENCE_S)


def delivered(system: Fabric, name: str) -> Counter[str]:
    """What the recorder got under this name, and how often."""
    path = system.state_dir / f"{name}.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return Counter(f"{one['kind']} {one['key']}" for one in map(json.loads, lines))


async def until_delivered(system: Fabric, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while sum(len(delivered(system, name)) for name in DESTINATIONS) < count:
            await asyncio.sleep(0.02)


async def test_a_question_goes_all_the_way_and_leaves_its_trace(system: Fabric) -> None:
    await stand_in(system, "worker", "model_worker/sensory", text="nonsense", confidence=0.1)
    await stand_in(system, "worker", "model_worker/tactical")
    await system.node("nodes.context_classifier.node", "context_classifier")
    await dialogue(system, config=daring(system))
    request = Ask(text="what is two plus two")
    async with (
        system.client.events("exchange/completed") as completed,
        system.client.stream("dialogue", request, deadline=PATIENCE_S) as stream,
    ):
        parts = [part async for part in stream]
        answer = stream.reply
        said = (await anext(completed)).body
    assert "".join(part.text for part in parts) == answer.text == "it is four ."
    assert (answer.answered_by, answer.context) == ("tactical", Context.NOVEL)
    assert [one.level for one in answer.tried] == ["sensory", "tactical"]
    assert said.answer.exchange == answer.exchange
    trace = await system.client.call("dialogue", TraceRequest(ident=answer.exchange[:20]), deadline=PATIENCE_S)
    assert trace.trace == answer.trace
    assert {"pattern", "classify", "choose", "generate.sensory", "generate.tactical"} <= {
        stage.name for stage in trace.stages
    }
    forgotten = await system.client.call("dialogue", ForgetSession(session="default"), deadline=PATIENCE_S)
    assert forgotten.messages == 2
    with pytest.raises(BadRequest, match="no level"):
        await ask(system, "what is two plus two", level="huge")


async def test_patterns_answer_while_everything_else_is_gone(system: Fabric) -> None:
    await dialogue(system)
    answer = await ask(system, "who are you")
    assert (answer.answered_by, answer.text[:9]) == ("pattern", "I am sage")
    with pytest.raises(SageError):
        await ask(system, "what is two plus two")


async def test_nobody_waits_for_a_level_that_still_loads(system: Fabric) -> None:
    await stand_in(system, "worker", "model_worker/sensory", confidence=0.1)
    name = "model_worker/specialized"
    await system.process(name, sys.executable, "-m", STAND_INS, "worker", params={"loads": False})
    await system.wait_for(name, NodeState.STARTING)
    await dialogue(system)
    answer = await ask(system, "what is two plus two")
    assert (answer.answered_by, [one.level for one in answer.tried]) == ("sensory", ["sensory"])


async def test_an_utterance_is_answered_aloud_under_its_own_trace(system: Fabric) -> None:
    await stand_in(system, "worker", "model_worker/specialized")
    await dialogue(system)
    heard = Stage(name="transcribe", node="audio_sensor", start_ns=1, seconds=0.1)
    utterance = Utterance(
        text="what is two plus two",
        source="wav",
        utterance=1,
        confidence=0.9,
        accepted_by="free",
        begin_s=0,
        end_s=1,
        speech_end_ns=1,
        stages=[heard],
    )
    async with (
        system.client.events("reply/part") as parts,
        system.client.events("exchange/completed") as completed,
        asyncio.timeout(PATIENCE_S),
    ):
        system.client.publish(utterance, trace=bytes(range(16)))
        part = await anext(parts)
        answer = (await anext(completed)).body.answer
        assert part.body.speak
        assert part.header.trace == answer.trace == bytes(range(16))
        assert (answer.session, answer.stages[0]) == ("voice/wav", heard)
        system.client.publish(
            Spoken(exchange=answer.exchange, path="", audio_s=1, sentences=1, start_ns=1, first_sound_ns=2, end_ns=3)
        )
        while True:
            trace = await system.client.call("dialogue", TraceRequest(), deadline=PATIENCE_S)
            if trace.stages[-1].name == "speak":
                break


async def test_what_was_answered_reaches_everyone_once_though_dialogue_was_killed(system: Fabric) -> None:
    await stand_in(system, "worker", "model_worker/sensory")
    await dialogue(system)
    answered = [await ask(system, f"what is {number} plus two", session=str(number)) for number in range(3)]
    await system.end("dialogue", signal.SIGKILL)
    for name in DESTINATIONS:
        await stand_in(system, "recorder", name)
    await dialogue(system)
    await until_delivered(system, 4 * len(answered))
    for answer in answered:
        assert delivered(system, "trust_ledger")[f"outcome {answer.exchange}/sensory"] == 1
        assert delivered(system, "context_classifier")[f"score {answer.exchange}"] == 1
        assert delivered(system, "dream_consolidator")[f"keep {answer.exchange}@0.8"] == 1
        assert delivered(system, "metabolic_controller")[f"settle {answer.exchange}"] == 1


async def test_killed_again_and_again_while_it_works_it_loses_nothing_it_answered(system: Fabric) -> None:
    await stand_in(system, "worker", "model_worker/sensory")
    for name in DESTINATIONS:
        await stand_in(system, "recorder", name)
    answered: list[str] = []

    async def keep_asking(session: str) -> None:
        while True:
            try:
                answered.append((await ask(system, "what is one plus two", session=session)).exchange)
            except SageError:
                await asyncio.sleep(0.01)

    asking = [asyncio.create_task(keep_asking(str(number))) for number in range(3)]
    for _ in range(3):
        await dialogue(system)
        enough = len(answered) + 5
        async with asyncio.timeout(PATIENCE_S):
            while len(answered) < enough:
                await asyncio.sleep(0.01)
        await system.end("dialogue", signal.SIGKILL)
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    await dialogue(system)
    expected = {f"outcome {exchange}/sensory" for exchange in answered}
    async with asyncio.timeout(PATIENCE_S):
        while not expected <= set(delivered(system, "trust_ledger")):
            await asyncio.sleep(0.02)
        while not {f"keep {exchange}@0.8" for exchange in answered} <= set(delivered(system, "dream_consolidator")):
            await asyncio.sleep(0.02)
