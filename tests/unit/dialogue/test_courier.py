"""Deliveries arrive although destinations are away, slow to take, or never will."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
import structlog

from nodes.dialogue.courier import FIRST_PAUSE_S, LONGEST_PAUSE_S, PATIENCE, Courier
from nodes.dialogue.outbox import Outbox
from protocol.errors import BadRequest, HandlerFailed, SageError, UnknownNode
from protocol.messages.context import ExchangeScored, Snarc
from protocol.messages.metabolism import Settle
from tests.unit.dialogue.stores import bill, lesson, open_store, to_score

DESTINATIONS = ("metabolic_controller", "dream_consolidator", "context_classifier")


class Post:
    """Destinations that answer as a test says, and a courier that runs until nothing is left to do."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.got: list[tuple[str, str]] = []
        self.bodies: dict[tuple[str, str], Any] = {}
        self.pauses: list[float] = []
        self.fails: Callable[[str, str], SageError | None] = lambda _destination, _key: None
        self.courier = Courier(outbox, self.call, structlog.get_logger(), self.pause)

    async def call(self, destination: str, request: Any, key: str) -> Any:
        if error := self.fails(destination, key):
            raise error
        self.got.append((destination, key))
        self.bodies[destination, key] = request
        return ExchangeScored(exchange=key, snarc=Snarc(salience=0.7)) if destination == "context_classifier" else None

    async def pause(self, wake: asyncio.Event, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    async def run_until(self, done: Callable[[], bool]) -> None:
        rounds = [asyncio.create_task(work) for work in self.courier.rounds(DESTINATIONS)]
        async with asyncio.timeout(30):
            while not done():
                await asyncio.sleep(0)
        for task in rounds:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture
def post(tmp_path: Path):
    with closing(open_store(tmp_path)) as store:
        yield Post(Outbox(store))


async def test_everything_arrives_once_in_order(post: Post) -> None:
    post.outbox.put([bill(number) for number in range(5)])
    await post.run_until(lambda: not post.outbox.waiting())
    assert post.got == [("metabolic_controller", f"e{number}") for number in range(5)]


async def test_a_destination_that_is_away_holds_up_no_other_and_gets_all_when_it_is_back(post: Post) -> None:
    away = {"dream_consolidator"}
    post.fails = lambda destination, _key: UnknownNode("not here") if destination in away else None
    post.outbox.put([lesson(1), lesson(2), bill(1)])
    await post.run_until(lambda: bool(post.got) and len(post.pauses) > 12)
    assert post.got == [("metabolic_controller", "e1")]
    assert post.outbox.waiting() == {"dream_consolidator": 2}
    away.clear()
    await post.run_until(lambda: not post.outbox.waiting())
    assert post.got[1:] == [("dream_consolidator", "e1"), ("dream_consolidator", "e2")]


async def test_pauses_grow_to_a_bound(post: Post) -> None:
    post.fails = lambda _destination, _key: UnknownNode("not here")
    post.outbox.put([bill(1)])
    await post.run_until(lambda: len(post.pauses) > 12)
    assert post.pauses[:3] == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S]
    assert max(post.pauses) == LONGEST_PAUSE_S
    assert post.outbox.stats()["retried"] > 12
    assert post.outbox.stats()["refused"] == 0


async def test_what_is_refused_outright_makes_way_at_once(post: Post) -> None:
    post.fails = lambda _destination, key: BadRequest("no") if key == "e1" else None
    post.outbox.put([bill(1), bill(2)])
    await post.run_until(lambda: not post.outbox.waiting())
    assert post.got == [("metabolic_controller", "e2")]
    assert post.outbox.stats()["refused"] == 1
    assert not post.pauses


async def test_what_breaks_its_destination_makes_way_after_some_patience(post: Post) -> None:
    post.fails = lambda _destination, key: HandlerFailed("boom") if key == "e1" else None
    post.outbox.put([bill(1), bill(2)])
    await post.run_until(lambda: not post.outbox.waiting())
    assert len(post.pauses) == PATIENCE - 1
    assert post.got == [("metabolic_controller", "e2")]


async def test_a_lesson_follows_with_the_salience_its_exchange_was_given(post: Post) -> None:
    post.outbox.put([to_score(1)])
    await post.run_until(lambda: len(post.got) == 2 and not post.outbox.waiting())
    assert post.got == [("context_classifier", "e1"), ("dream_consolidator", "e1")]
    assert post.bodies["dream_consolidator", "e1"].snarc.salience == 0.7


async def test_a_disk_that_fails_for_a_while_stops_no_destination_for_good(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubles = [sqlite3.OperationalError("database or disk is full")] * 3
    strike = post.outbox.strike

    def strike_with_trouble(*arguments: Any) -> None:
        if troubles:
            raise troubles.pop()
        strike(*arguments)

    monkeypatch.setattr(post.outbox, "strike", strike_with_trouble)
    post.outbox.put([bill(1), bill(2)])
    await post.run_until(lambda: not post.outbox.waiting())
    assert post.got == [("metabolic_controller", "e1")] * 4 + [("metabolic_controller", "e2")]
    assert post.pauses == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S]


async def test_what_is_written_down_later_is_noticed_when_poked(post: Post) -> None:
    rounds = [asyncio.create_task(work) for work in post.courier.rounds(DESTINATIONS)]
    await asyncio.sleep(0)
    post.outbox.put([bill(1)])
    post.courier.poke("metabolic_controller")
    async with asyncio.timeout(30):
        while not post.got:
            await asyncio.sleep(0)
    assert isinstance(post.bodies["metabolic_controller", "e1"], Settle)
    for task in rounds:
        task.cancel()
    await asyncio.gather(*rounds, return_exceptions=True)
