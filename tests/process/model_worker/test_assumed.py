"""A worker's kept prefix and the sense of a conversation as assumptions: surprised, they are dropped and made anew."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from protocol.messages.dialogue import Ask, ForgetSession
from protocol.messages.model import InfoRequest, ResumeState
from protocol.messages.reality import AssumptionShown, ListAssumptions, ObserveAssumption
from tests.fabric import PATIENCE_S, Fabric
from tests.process.model_worker.conftest import WORKER

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def dialogue_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("dialogue") / "dialogue.yaml"
    file.write_text("levels:\n  - {name: small, cost: 1.0, accept_at: 0.0}\n")
    return file


async def ask(system: Fabric, text: str, session: str):
    answer = await system.client.call("dialogue", Ask(text=text, session=session), deadline=PATIENCE_S)
    return answer, answer.tried[0]


async def assumed(system: Fabric, kind: str) -> list[AssumptionShown]:
    listed = await system.client.call("dialogue", ListAssumptions(most=1000), deadline=PATIENCE_S)
    return [one for one in listed.assumptions if one.key.startswith(f"{kind}/")]


async def until_none(system: Fabric, *kinds: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while any([await assumed(system, kind) for kind in kinds]):
            await asyncio.sleep(0.02)


async def test_a_surprised_prefix_is_dropped_by_its_worker_and_computed_again(
    system: Fabric, dialogue_file: Path
) -> None:
    await system.node("nodes.context_classifier.node", "context_classifier")
    await system.node("nodes.dialogue.node", "dialogue", {"config": str(dialogue_file)})
    first, _ = await ask(system, "the cup is in the hall , where is it ?", "talk")
    _, second = await ask(system, "and now ?", "talk")
    assert second.tokens_reused > 0
    (prefix,) = await assumed(system, "prefix")
    held = second.tokens_reused + second.tokens_computed + second.tokens_generated - 1
    assert prefix.statement.startswith(f"small holds {held} tokens")
    assert [one.partition("/")[0] for one in prefix.rests_on] == ["model", "conversation"]
    observed = await system.client.call(
        "dialogue", ObserveAssumption(ident=prefix.key, distance=1.0, by="test"), deadline=PATIENCE_S
    )
    assert observed.response == "rebuild"
    await until_none(system, "prefix")
    _, third = await ask(system, "and then ?", "talk")
    assert third.tokens_reused == 0
    assert third.tokens_computed > second.tokens_computed
    (again,) = await assumed(system, "prefix")
    assert again.standing == "held"
    assert first.text


async def test_a_forgotten_conversation_is_dropped_by_everybody_who_keeps_something_of_it(system: Fabric) -> None:
    await ask(system, "tom works for eva . for whom does tom work ?", "secret")
    senses = len(await assumed(system, "sense"))
    assert senses == 2
    before = (await system.client.call(WORKER, InfoRequest(), deadline=PATIENCE_S)).sessions
    await system.client.call("dialogue", ForgetSession(session="talk"), deadline=PATIENCE_S)
    await system.client.call("dialogue", ForgetSession(session="secret"), deadline=PATIENCE_S)
    await until_none(system, "prefix", "sense", "conversation")
    assert (await system.client.call(WORKER, InfoRequest(), deadline=PATIENCE_S)).sessions == before - 2
    with pytest.raises(Exception, match="nothing is kept of 'secret'"):
        await system.client.call(WORKER, ResumeState(session="secret"), deadline=PATIENCE_S)
