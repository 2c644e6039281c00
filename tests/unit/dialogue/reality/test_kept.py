"""What others keep of a conversation is taken to be there, and dropped where it is no longer believed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog

from nodes.dialogue.deliveries import Finished
from nodes.dialogue.reality import answers, kept
from nodes.dialogue.reality.assumption import Evidence
from nodes.dialogue.reality.cache import Reality
from nodes.dialogue.reality.kept import Dropper
from protocol.errors import UnknownNode, UnknownService
from protocol.messages.context import Classified, Context, ForgetContext, Snarc
from protocol.messages.model import ForgetState
from tests.unit.dialogue.reality.caches import assumption, open_cache
from tests.unit.dialogue.reality.test_answers import finished, question

CLASSIFIED = Classified(session="s", context=Context.NOVEL, confidence=1, cluster=0, snarc=Snarc())


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Reality]:
    with closing(open_cache(tmp_path)) as made:
        yield made


class World:
    """The nodes that keep something; those that are away raise."""

    def __init__(self, cache: Reality) -> None:
        self.away: set[str] = set()
        self.unable: set[str] = set()
        self.asked: list[tuple[str, Any]] = []
        workers = {"sensory": "model_worker/sensory"}
        self.dropper = Dropper(cache, self.call, workers, structlog.get_logger())

    async def call(self, node: str, request: Any) -> None:
        if node in self.away:
            raise UnknownNode("nobody of that name is here", place=node)
        if node in self.unable:
            raise UnknownService("it does not do that", place=node)
        self.asked.append((node, request))


def turn(cache: Reality, reused: int = 0, computed: int = 10) -> Finished:
    done = finished(question())
    attempt, decision = done.attempts[0]
    generated = msgspec.structs.replace(
        attempt.generated, tokens_reused=reused, tokens_computed=computed, tokens_generated=3
    )
    done = replace(done, attempts=[(replace(attempt, generated=generated), decision)], classified=CLASSIFIED)
    answers.remember(cache, question(), done, 0)
    kept.take_in(cache, done, 0)
    return done


def of(cache: Reality, kind: str) -> list[str]:
    return [row.key for row in cache.shelf.listed("", 100) if row.key.startswith(f"{kind}/")]


def tokens(cache: Reality) -> Any:
    (key,) = of(cache, "prefix")
    known = cache.opened(cache.shelf.row(key))
    assert known is not None
    return known.value, known.standing


def test_after_a_turn_the_worker_holds_the_conversation_and_the_classifier_knows_where_it_is(cache: Reality) -> None:
    turn(cache)
    assert tokens(cache) == (12.0, "held")
    assert len(of(cache, "sense")) == len(of(cache, "conversation")) == 1


def test_a_conversation_that_goes_on_surprises_nobody(cache: Reality) -> None:
    turn(cache)
    turn(cache, reused=12, computed=8)
    turn(cache, reused=22, computed=8)
    assert tokens(cache) == (32.0, "held")
    assert (cache.stats()["rebuilds"], cache.shelf.cascades()) == (0, [])


def test_a_worker_that_had_lost_what_it_kept_is_a_surprise_and_what_it_computed_again_is_taken_instead(
    cache: Reality,
) -> None:
    turn(cache)
    turn(cache, reused=0, computed=20)
    assert tokens(cache) == (22.0, "held")
    (cascade,) = cache.shelf.cascades()
    assert cascade.why.endswith("by the worker's reply")


async def test_a_forgotten_conversation_is_dropped_by_everybody_and_then_no_longer_spoken_of(cache: Reality) -> None:
    world = World(cache)
    turn(cache)
    assert kept.forget(cache, "s", ["sensory"], 0) == 1
    assert of(cache, "answer") == []
    assert await world.dropper.round() == 0
    assert world.asked == [
        ("model_worker/sensory", ForgetState(session="s")),
        ("context_classifier", ForgetContext(session="s")),
    ]
    assert [of(cache, kind) for kind in ("prefix", "sense", "conversation")] == [[], [], []]
    assert world.dropper.stats() == {"dropped": 2, "drops_postponed": 0, "drops_refused": 0}


async def test_whoever_is_away_is_asked_again_and_nothing_new_is_believed_of_it_meanwhile(cache: Reality) -> None:
    world = World(cache)
    world.away = {"model_worker/sensory"}
    turn(cache)
    kept.forget(cache, "s", ["sensory"], 0)
    assert await world.dropper.round() == 1
    turn(cache, reused=12)
    assert tokens(cache)[1] == "broken", "what it still keeps of before is not to pass for the new"
    world.away = set()
    assert await world.dropper.round() == 0
    turn(cache)
    assert tokens(cache)[1] == "held"
    assert world.dropper.postponed == 1


async def test_a_prefix_that_somebody_saw_to_be_wrong_is_dropped_and_nothing_else(cache: Reality) -> None:
    world = World(cache)
    turn(cache)
    (key,) = of(cache, "prefix")
    cache.observe(key, Evidence(distance=1.0), 0)
    await world.dropper.round()
    assert [node for node, _ in world.asked] == ["model_worker/sensory"]
    assert len(of(cache, "sense")) == len(of(cache, "answer")) == 1


async def test_what_nothing_was_assumed_of_is_dropped_too(cache: Reality) -> None:
    world = World(cache)
    assert kept.forget(cache, "never met", ["sensory"], 0) == 0
    await world.dropper.round()
    assert {type(request) for _, request in world.asked} == {ForgetState, ForgetContext}
    assert cache.shelf.count() == 0


async def test_a_node_that_cannot_drop_anything_is_not_asked_for_ever(cache: Reality) -> None:
    world = World(cache)
    turn(cache)
    kept.forget(cache, "s", ["sensory"], 0)
    world.unable = {"model_worker/sensory"}
    assert await world.dropper.round() == 0
    assert world.dropper.stats() == {"dropped": 1, "drops_postponed": 0, "drops_refused": 1}
    assert of(cache, "prefix") == []


def test_what_is_owed_is_not_forgotten_for_want_of_room(tmp_path: Path) -> None:
    with closing(open_cache(tmp_path, assumptions=4)) as cache:
        kept.forget(cache, "s", ["sensory"], 0)
        for number in range(6):
            cache.hold(assumption(f"k{number}"), number + 1)
        assert len(cache.broken("prefix")) == len(cache.broken("sense")) == 1


async def test_debts_to_somebody_who_stays_away_leave_room_and_the_oldest_are_given_up_and_said(tmp_path: Path) -> None:
    with closing(open_cache(tmp_path, assumptions=10, owed=5)) as cache, structlog.testing.capture_logs() as logs:
        world = World(cache)
        world.away = {"model_worker/sensory"}
        for number in range(40):
            kept.forget(cache, f"s{number}", ["sensory"], number)
            await world.dropper.round()
        for number in range(6):
            cache.hold(assumption(f"k{number}"), 100 + number)
        assert [bool(cache.shelf.row(f"k{number}")) for number in range(6)] == [True] * 6
        assert cache.stats()["owed"] == 5
        assert cache.shelf.count() <= 10 + 2 * 5
        await world.dropper.round()
        told = [entry["count"] for entry in logs if entry["event"] == "reality.drops_given_up"]
        assert sum(told) == cache.stats()["given_up"] == 35
        world.away = set()
        world.asked.clear()
        assert await world.dropper.round() == 0
        assert [request.session for _, request in world.asked] == [f"s{number}" for number in range(35, 40)]


async def test_a_conversation_forgotten_twice_while_somebody_is_away_is_dropped_twice_where_it_is_reached(
    cache: Reality,
) -> None:
    world = World(cache)
    world.away = {"context_classifier"}
    turn(cache)
    kept.forget(cache, "s", ["sensory"], 0)
    await world.dropper.round()
    turn(cache)
    kept.forget(cache, "s", ["sensory"], 0)
    await world.dropper.round()
    assert [node for node, _ in world.asked] == ["model_worker/sensory"] * 2
    world.away = set()
    assert await world.dropper.round() == 0
    assert cache.broken("conversation") == []
