"""The cache beside an event loop: whatever goes wrong in it costs nobody an answer, and is counted."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog

from nodes.dialogue.reality.cache import Reality
from nodes.dialogue.reality.keeper import Keeper
from protocol.errors import BadRequest, UnknownNode
from protocol.messages.dream import Adapter, AdapterCurrent
from protocol.messages.model import InfoRequest, ModelInfo
from protocol.messages.reality import (
    ExplainAssumption,
    ForgetAssumptions,
    ListAssumptions,
    ObserveAssumption,
    RealitySurprised,
)
from tests.unit.dialogue.reality.caches import open_cache
from tests.unit.dialogue.reality.test_answers import finished, question


class World:
    """A worker that answers as some version, or is away."""

    def __init__(self, cache: Reality) -> None:
        self.version = "v1"
        self.said: list[Any] = []
        self.keeper = Keeper(
            cache,
            wall_ns=lambda: 0,
            call=self.call,
            say=self.said.append,
            workers={"sensory": "model_worker/sensory"},
            log=structlog.get_logger(),
        )

    async def call(self, node: str, request: Any) -> Any:
        if not self.version:
            raise UnknownNode("nobody of that name is here", place=node)
        assert isinstance(request, InfoRequest)
        return ModelInfo(level="sensory", model="m", version=self.version, loaded=True)

    async def asked(self) -> str:
        return (await self.keeper.recall(question())).text


@pytest.fixture
def cache(tmp_path: Path):
    with closing(open_cache(tmp_path)) as made:
        yield made


@pytest.fixture
async def world(cache: Reality) -> World:
    made = World(cache)
    await made.keeper.remember(question(), finished(question()))
    return made


async def test_an_answer_is_found_again_and_its_cost_is_known(world: World) -> None:
    recalled = await world.keeper.recall(question())
    assert (recalled.text, recalled.holds) == ("it is 4 .", True)
    assert recalled.cpu_s > 0
    costs = (await world.keeper.list(ListAssumptions(), atp_per_cpu_s=0.5)).stats
    assert costs["atp.recall"] == 0.5 * recalled.cpu_s
    assert costs["atp.remember"] > 0


async def test_it_can_be_switched_off(world: World, cache: Reality) -> None:
    cache.config = msgspec.structs.replace(cache.config, answers=False)
    assert (await world.keeper.recall(question())).why == "switched off"


async def test_a_worker_that_started_anew_is_asked_for_its_version_before_it_is_relied_on(world: World) -> None:
    await world.keeper.begin()
    assert await world.asked() == "", "nobody watched"
    await world.keeper.started(frozenset({"model_worker/sensory"}))
    assert await world.asked() == "it is 4 ."
    world.version = "v2"
    await world.keeper.started(frozenset({"model_worker/sensory"}))
    assert await world.asked() == ""


async def test_one_that_cannot_be_asked_leaves_its_version_in_doubt(world: World) -> None:
    world.version = ""
    await world.keeper.started(frozenset({"model_worker/sensory"}))
    assert "doubted" in (await world.keeper.recall(question())).why


async def test_a_new_adapter_is_taken_in(world: World) -> None:
    await world.keeper.adapters(AdapterCurrent(adapters=[]))
    await world.keeper.started(frozenset({"model_worker/sensory"}))
    assert await world.asked()
    await world.keeper.adapters(AdapterCurrent(adapters=[Adapter(level="sensory", digest="d")]))
    assert await world.asked() == ""


async def test_a_database_that_fails_is_gone_on_without(world: World, cache: Reality, monkeypatch: Any) -> None:
    def fail(*_: Any) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(cache.shelf, "line", fail)
    monkeypatch.setattr(cache.shelf, "put", fail)
    assert "disk I/O error" in (await world.keeper.recall(question())).why
    await world.keeper.remember(question("another"), finished(question("another")))
    assert world.keeper.stats()["failed"] == 2


async def test_a_surprise_is_said_to_the_world_and_what_goes_on_is_not(world: World) -> None:
    await world.keeper.judged("e1", 1.0, "user")
    assert world.said == []
    await world.keeper.judged("e1", 0.0, "user")
    (said,) = world.said
    assert isinstance(said, RealitySurprised)
    assert (said.level, said.response, said.why) == ("abstract", "rebuild", "user")
    await world.keeper.judged("never", 0.0, "user")


async def test_what_cannot_be_meant_is_refused(world: World) -> None:
    with pytest.raises(BadRequest, match="either a value or a distance"):
        await world.keeper.observe(ObserveAssumption(ident="model/sensory"))
    with pytest.raises(BadRequest, match="not said what"):
        await world.keeper.forget(ForgetAssumptions())
    await world.keeper.remember(question("other"), finished(question("other")))
    with pytest.raises(BadRequest, match="give more of it"):
        await world.keeper.explain(ExplainAssumption(ident="answer/"))


async def test_an_observation_says_what_it_made_of_it(world: World) -> None:
    seen = await world.keeper.observe(ObserveAssumption(ident="model/sens", value="v9", by="somebody"))
    assert (seen.key, seen.response, seen.standing) == ("model/sensory", "rebuild", "held")
    assert seen.followed == 2, "the answer, and the attention state kept by that version"
    assert seen.surprise == pytest.approx(seen.distance * seen.confidence * seen.centrality)
