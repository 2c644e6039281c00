import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nodes.model_worker.errors import ContextTooLong, ModelMissing
from nodes.model_worker.folder import open_folder, weights_digest
from protocol.errors import BadRequest, DeadlineExceeded, Overloaded
from protocol.messages.context import ExchangeScored, Snarc
from protocol.messages.dream import Adapter, AdapterCurrent
from protocol.messages.metabolism import Metabolic, MetabolicState, Policy
from protocol.messages.model import (
    ChatMessage,
    Exercise,
    Generate,
    Generated,
    InfoRequest,
    Load,
    ModelInfo,
    Teach,
    Unload,
)
from protocol.messages.node import Health, NodeState
from tests.fabric import PATIENCE_S, Fabric
from tests.process.model_worker.conftest import NODE, WORKER, write_levels
from tests.unit.model_worker import tiny

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG = 7000
"""Tokens nobody waits for."""


def chat(*contents: str) -> list[ChatMessage]:
    return [ChatMessage(role=("user", "assistant")[i % 2], content=text) for i, text in enumerate(contents)]


async def ask(system: Fabric, request: Generate, deadline: float = PATIENCE_S) -> Generated:
    generated = await system.client.call(WORKER, request, deadline=deadline)
    assert isinstance(generated, Generated)
    return generated


async def info(system: Fabric) -> ModelInfo:
    reply = await system.client.call(WORKER, InfoRequest(), deadline=PATIENCE_S)
    assert isinstance(reply, ModelInfo)
    return reply


async def test_tokens_stream_back_and_together_are_the_answer(system: Fabric) -> None:
    request = Generate(messages=chat("what is two ?"), max_new_tokens=40)
    async with system.client.stream(WORKER, request, deadline=PATIENCE_S) as stream:
        tokens = [token async for token in stream]
        generated = stream.reply
    assert [token.index for token in tokens] == list(range(40))
    assert "".join(token.text for token in tokens) == generated.text
    assert [token.id for token in tokens] == generated.ids
    assert set(generated.seconds) == {"queue", "load", "tokenize", "prefill", "decode"}


async def test_the_next_turn_of_a_session_computes_only_what_is_new(system: Fabric) -> None:
    first = await ask(system, Generate(messages=chat("the cup ?"), session="turns"))
    second = await ask(system, Generate(messages=chat("the cup ?", first.text, "so ?"), session="turns"))
    assert second.tokens_reused == first.tokens_computed + first.tokens_generated - 1


async def test_a_caller_that_goes_away_frees_the_worker_for_the_next_and_is_billed_all_the_same(system: Fabric) -> None:
    request = Generate(messages=chat("ok"), max_new_tokens=LONG)
    async with system.client.stream(WORKER, request, deadline=PATIENCE_S) as stream:
        await anext(aiter(stream))
    after = await ask(system, Generate(messages=chat("ok")))
    assert after.tokens_generated == 12
    await health(system, lambda said: said.stats.get("loads", {}).get("unheard", 0) >= 1)


async def test_it_teaches_over_the_bus_and_whoever_asks_meanwhile_is_answered_first(system: Fabric) -> None:
    exercises = [Exercise(messages=chat(f"number {number} ?")) for number in range(3)]
    request = Teach(exercises=exercises, top_k=4, max_new_tokens=400)
    async with system.client.stream(WORKER, request, deadline=PATIENCE_S) as stream:
        answer = await ask(system, Generate(messages=chat("ok")))
        assert answer.tokens_generated == 12
        assert not stream.done
        solutions = {solution.index: solution async for solution in stream}
        taught = stream.reply
    assert sorted(solutions) == [0, 1, 2]
    assert {len(each.top_ids) for each in solutions.values()} == {400 * 4 * 4}
    assert (taught.solutions, taught.version) == (3, answer.version)
    assert taught.cpu_s > 0


async def test_at_the_deadline_what_there_is_comes_back_or_the_call_fails_by_name(system: Fabric) -> None:
    try:
        generated = await ask(system, Generate(messages=chat("ok"), max_new_tokens=LONG), deadline=1.0)
    except DeadlineExceeded:  # a machine too busy to answer in the time kept for it
        return
    assert generated.stop_reason == "deadline"
    assert 0 < generated.tokens_generated < LONG


async def test_more_requests_than_may_wait_are_refused_and_the_others_answered(system: Fabric) -> None:
    asked = [ask(system, Generate(messages=chat(f"number {number}"), max_new_tokens=20)) for number in range(60)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, Overloaded)]
    assert refused
    assert all(isinstance(answer, Generated) for answer in answers if answer not in refused)


async def test_what_cannot_be_answered_comes_back_by_name_with_the_limit(system: Fabric) -> None:
    with pytest.raises(ContextTooLong, match="the limit is 8000") as refused:
        await ask(system, Generate(ids=[5] * 8000))
    assert refused.value.detail["limit"] == 8000
    with pytest.raises(BadRequest, match="messages or ids"):
        await ask(system, Generate())


async def test_the_model_is_unloaded_and_loaded_when_told(system: Fabric) -> None:
    before = await info(system)
    assert before.loaded
    unloaded = await system.client.call(WORKER, Unload(), deadline=PATIENCE_S)
    assert not unloaded.loaded
    loaded = await system.client.call(WORKER, Load(), deadline=PATIENCE_S)
    assert (loaded.loaded, loaded.version) == (True, before.version)


async def health(system: Fabric, wanted: Callable[[Health], bool]) -> Health:
    """The first heartbeat of the worker that is as wanted."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            for record in await system.records():
                if record.name == WORKER and record.health and wanted(record.health):
                    return record.health
            await asyncio.sleep(0.02)


async def test_rest_unloads_before_it_counts_as_taken_up_and_a_request_loads_again(system: Fabric) -> None:
    rest = MetabolicState(
        state=Metabolic.REST, number=1, reason="idle", since_ns=0, policy=Policy(answer="nobody", keep_models=False)
    )
    system.client.publish(rest)
    await health(system, lambda beat: beat.metabolic_number == 1)
    assert not (await info(system)).loaded
    generated = await ask(system, Generate(messages=chat("ok")))
    assert generated.tokens_generated == 12
    assert (await info(system)).loaded


async def test_focus_loads_without_being_asked(system: Fabric) -> None:
    await system.client.call(WORKER, Unload(), deadline=PATIENCE_S)
    system.client.publish(MetabolicState(state=Metabolic.FOCUS, number=2, reason="busy", since_ns=0))
    async with asyncio.timeout(PATIENCE_S):
        while not (await info(system)).loaded:
            await asyncio.sleep(0.02)


async def test_weights_that_a_dream_put_in_force_are_taken_up_and_given_back(
    system: Fabric, levels_file: Path, tmp_path: Path
) -> None:
    own = (await info(system)).version
    path = tiny.save(tmp_path / "learned", seed=1, max_position_embeddings=8000)
    base = weights_digest(open_folder(levels_file.parent / "small"))
    adapter = Adapter(level="small", digest=weights_digest(open_folder(path)), path=str(path), base_version=base)

    async def version_is(expected: bool) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while ((await info(system)).version == own) is not expected:
                await asyncio.sleep(0.02)

    system.client.publish(AdapterCurrent(adapters=[adapter]))
    await version_is(False)
    system.client.publish(AdapterCurrent(adapters=[]))
    await version_is(True)


async def test_the_heartbeat_tells_of_the_model_and_its_state(system: Fabric) -> None:
    await ask(system, Generate(messages=chat("ok"), session="kept"))
    beat = await health(system, lambda beat: beat.stats["attention_state"]["sessions"] > 0)
    assert beat.stats["model"]["loaded"] == 1
    assert beat.stats["model"]["weight_bytes"] > 0
    assert beat.stats["attention_state"]["bytes"] > 0


async def test_a_model_that_is_not_there_leaves_a_degraded_node_that_says_so(system: Fabric, tmp_path: Path) -> None:
    file = write_levels(tmp_path, tmp_path / "absent")
    record = await system.node(NODE, "model_worker/absent", {"level": "small", "levels": str(file)})
    assert record.state == NodeState.DEGRADED
    assert "no such folder" in record.reason
    with pytest.raises(ModelMissing, match="correct `model` in the levels file"):
        await system.client.call("model_worker/absent", Generate(ids=[5]), deadline=PATIENCE_S)


async def test_a_level_nobody_configured_is_refused_before_anything_starts(system: Fabric, levels_file: Path) -> None:
    name = "model_worker/other"
    await system.process(name, sys.executable, "-m", NODE, params={"level": "smal", "levels": str(levels_file)})
    async with asyncio.timeout(PATIENCE_S):
        assert await system.processes[name].wait() == 2
    assert "did you mean 'small'" in system.log(name)


async def test_it_hears_what_a_conversation_that_it_holds_is_worth(system: Fabric) -> None:
    await ask(system, Generate(messages=chat("the cup ?"), session="worth"))
    snarc = Snarc(salience=0.9)
    async with system.client.events("node/health") as health, asyncio.timeout(PATIENCE_S):
        for session in ("never held", "worth"):
            system.client.publish(ExchangeScored(exchange="e", snarc=snarc, session=session, conversation=snarc))
        while True:
            beat = await anext(health)
            if beat.header.source == WORKER and beat.body.stats.get("model", {}).get("valued"):
                assert beat.body.stats["model"]["valued"] == 1
                return
