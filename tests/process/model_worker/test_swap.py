"""New weights put in force under load, in a worker of the reference model: nobody is refused, nobody gets a mixture."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from nodes.model_worker import levels
from nodes.model_worker.folder import open_folder, weights_digest
from protocol.messages.dream import Adapter, AdapterAdopted, AdapterCurrent
from protocol.messages.model import ChatMessage, Generate, Generated
from tests.fabric import PATIENCE_S, Fabric, fabric
from tests.process.model_worker.conftest import NODE

WORKER = "model_worker/sensory"
QUESTIONS = ("what is 12 + 7 ?", "sort 4 2 9 1", "reverse one two three", "what is 31 + 25 ?")
AT_ONCE = 8


@pytest.fixture
async def system() -> AsyncIterator[Fabric]:
    async with fabric() as made:
        await made.node(NODE, WORKER, {"level": "sensory"})
        yield made


def other_weights(place: Path) -> Adapter:
    """Weights of the reference sensory model's kind that answer otherwise, as a dream might leave them."""
    from safetensors.torch import load_file, save_file

    own = Path(levels.source(levels.load().by_name("sensory").model))
    place.mkdir()
    for file in own.iterdir():
        if file.suffix != ".safetensors":
            (place / file.name).write_bytes(file.read_bytes())
            continue
        tensors = load_file(file)
        for name in [name for name in tensors if "mlp" in name]:
            tensors[name] = tensors[name] * 0.3
        save_file(tensors, place / file.name, {"format": "pt"})
    digest = weights_digest(open_folder(place))
    return Adapter(level="sensory", digest=digest, path=str(place), base_version=weights_digest(open_folder(own)))


async def ask(system: Fabric, question: str) -> Generated:
    asked = Generate(messages=[ChatMessage(role="user", content=question)], max_new_tokens=12)
    async with system.client.stream(WORKER, asked, deadline=PATIENCE_S) as stream:
        tokens = [token async for token in stream]
    generated = stream.reply
    assert isinstance(generated, Generated)
    assert [token.id for token in tokens] == generated.ids
    return generated


async def put_in_force(system: Fabric, current: AdapterCurrent) -> AdapterAdopted:
    async with system.client.events("adapter/adopted") as events, asyncio.timeout(PATIENCE_S):
        system.client.publish(current)
        body = (await anext(events)).body
        assert isinstance(body, AdapterAdopted)
        return body


@pytest.mark.parametrize(
    ("requests", "swaps"), [(100, 3), pytest.param(1000, 10, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
async def test_while_weights_are_swapped_no_request_fails_and_each_is_answered_wholly_by_one_version(
    system: Fabric, tmp_path: Path, requests: int, swaps: int
) -> None:
    learned = other_weights(tmp_path / "learned")
    versions = [AdapterCurrent(adapters=[learned]), AdapterCurrent(adapters=[])]
    wanted: dict[tuple[str, str], list[int]] = {}
    for current in versions:
        adopted = await put_in_force(system, current)
        assert (adopted.refused, adopted.waited) == ("", "")
        for question in QUESTIONS:
            wanted[adopted.digest, question] = (await ask(system, question)).ids
    assert wanted["", QUESTIONS[0]] != wanted[learned.digest, QUESTIONS[0]]
    left, answered = iter(range(requests)), dict.fromkeys(["", learned.digest], 0)

    async def caller() -> None:
        for number in left:
            question = QUESTIONS[number % len(QUESTIONS)]
            generated = await ask(system, question)
            assert generated.ids == wanted[generated.adapter, question]
            answered[generated.adapter] += 1

    calling = [asyncio.ensure_future(caller()) for _ in range(AT_ONCE)]
    for swap in range(swaps):
        adopted = await put_in_force(system, versions[swap % 2])
        assert (adopted.refused, adopted.waited) == ("", "")
        assert sum(answered.values()) < requests, "all swaps fall into the load"
        share = requests * (swap + 1) // (swaps + 1)
        while sum(answered.values()) < share and not any(each.done() for each in calling):
            await asyncio.sleep(0)
    await asyncio.gather(*calling)
    assert sum(answered.values()) == requests
    assert all(answered.values())
