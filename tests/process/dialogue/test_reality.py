"""What dialogue takes to be so: answers given again without a model, across processes and restarts."""

from __future__ import annotations

import json
import signal

import pytest

from nodes.dialogue.reality_commands import reality
from protocol.messages.dialogue import Ask, Feedback, ForgetSession, TraceRequest
from protocol.messages.dream import Adapter, AdapterCurrent
from protocol.messages.reality import ExplainAssumption, ListAssumptions
from tests.fabric import PATIENCE_S, Fabric, fabric
from tests.process.dialogue.test_commands import sage
from tests.process.dialogue.test_node import delivered, dialogue, stand_in, until_delivered


@pytest.fixture
async def system():
    async with fabric() as made:
        yield made


async def call(system: Fabric, request: object):
    return await system.client.call("dialogue", request, deadline=PATIENCE_S)


async def ask(system: Fabric, session: str, text: str = "what is two plus two"):
    return await call(system, Ask(text=text, session=session))


async def test_an_accepted_answer_is_given_again_without_a_model_and_its_cost_is_settled(system: Fabric) -> None:
    await stand_in(system, "worker", "model_worker/sensory")
    await stand_in(system, "recorder", "metabolic_controller")
    await dialogue(system)
    first = await ask(system, "a")
    again = await ask(system, "b")
    assert (first.answered_by, again.answered_by, again.text) == ("sensory", "assumption", first.text)
    assert "rests on model/sensory" in again.why
    assert again.atp < first.atp or first.atp == 0
    trace = await call(system, TraceRequest(ident=again.exchange))
    assert [stage.name for stage in trace.stages] == ["pattern", "assume", "first_part"]
    await until_delivered(system, 2)
    assert delivered(system, "metabolic_controller")[f"settle {again.exchange}"] == 1
    explained = await call(system, ExplainAssumption(ident=again.exchange))
    assert [one.key for one in explained.supports] == ["model/sensory"]
    assert 0 < explained.distance_verify < explained.distance_rebuild <= 1


async def test_it_survives_a_kill_and_is_relied_on_once_the_version_was_asked(system: Fabric) -> None:
    await stand_in(system, "worker", "model_worker/sensory")
    await dialogue(system)
    await ask(system, "a")
    await system.end("dialogue", signal.SIGKILL)
    await dialogue(system)
    kept = (await call(system, ListAssumptions())).assumptions
    assert {one.key.partition("/")[0] for one in kept} == {"answer", "model", "prefix", "conversation"}
    assert (await ask(system, "b", "what is one plus three")).answered_by == "sensory", "by its next answer, here"
    assert (await ask(system, "c")).answered_by == "assumption"


async def test_a_promoted_adapter_breaks_what_the_version_before_said(system: Fabric) -> None:
    await stand_in(system, "worker", "model_worker/sensory", adapter="one")
    await dialogue(system)
    adapters = [Adapter(level="sensory", digest="one")]
    system.client.publish(AdapterCurrent(adapters=adapters))
    await ask(system, "a")
    async with system.client.events("node/health") as health:
        system.client.publish(AdapterCurrent(adapters=[Adapter(level="sensory", digest="two")]))
        async for event in health:
            if event.body.stats.get("reality", {}).get("cascades"):
                break
    assert (await ask(system, "b")).answered_by == "sensory"


async def test_what_a_user_finds_wrong_is_not_said_again(system: Fabric) -> None:
    await stand_in(system, "worker", "model_worker/sensory")
    await dialogue(system)
    unverified = "what do owls eat"
    await ask(system, "a", unverified)
    repeated = await ask(system, "b", unverified)
    assert repeated.answered_by == "assumption"
    async with system.client.events("reality/surprised") as surprised:
        await call(system, Feedback(exchange=repeated.exchange, value=0.0))
        body = (await anext(surprised)).body
        assert (body.response, body.level, body.why) == ("rebuild", "abstract", "user")
    assert (await ask(system, "b", unverified)).answered_by == "sensory"
    assert (await ask(system, "c", unverified)).answered_by == "sensory", (
        "the same wrong answer is not believed a second time"
    )


async def test_a_forgotten_conversation_leaves_no_answer_behind(system: Fabric) -> None:
    await stand_in(system, "worker", "model_worker/sensory")
    await dialogue(system)
    await ask(system, "a")
    await call(system, ForgetSession(session="a"))
    kept = (await call(system, ListAssumptions())).assumptions
    assert not any(one.key.startswith("answer/") for one in kept)
    assert (await ask(system, "b")).answered_by == "sensory"


async def test_it_is_shown_explained_and_forgotten_by_commands(system: Fabric) -> None:
    await stand_in(system, "worker", "model_worker/sensory")
    await dialogue(system)
    answer = await ask(system, "a")
    shown = await sage(system, reality, "show")
    assert shown.exit_code == 0, shown.output
    assert "sensory said 'it is four .' to 'what is two plus two'" in shown.stdout
    assert "% of checks held" in shown.stdout
    records = [json.loads(line) for line in (await sage(system, reality, "show", "--json")).stdout.splitlines()]
    assert {record.get("key", "").partition("/")[0] for record in records} >= {"answer", "model"}
    explained = await sage(system, reality, "explain", answer.exchange)
    assert "model/sensory: sensory answers as version v1 (held, 0.99)" in explained.stdout
    assert "rebuilt by a distance of 0.93" in explained.stdout
    forgotten = await sage(system, reality, "forget", "model/sensory")
    assert forgotten.stdout == "1 forgotten, 2 rested on that\n"
    broken = await sage(system, reality, "explain", answer.exchange)
    assert "broken (what it rests on was forgotten)" in broken.stdout
    assert (await sage(system, reality, "forget", "--all", "--json")).exit_code == 0
    unknown = await sage(system, reality, "explain", "nothing")
    assert (unknown.exit_code, "nothing is assumed under 'nothing'" in unknown.stderr) == (1, True)
    assert (await sage(system, reality, "forget")).exit_code == 2
