"""Energy is held before a model is asked; where it is refused a cheaper level answers; nobody is refused."""

from __future__ import annotations

import asyncio
import sqlite3

import msgspec
import pytest

from nodes.dialogue import reserving
from nodes.dialogue.choice import Choice, ChoiceSettings
from nodes.dialogue.deliveries import METABOLISM, deliveries
from nodes.dialogue.reserving import Means
from nodes.dialogue.spending import Rates
from protocol.errors import CalleeLost, DeadlineExceeded, UnknownNode
from protocol.messages.metabolism import Energy, Reserve, Reserved
from protocol.messages.trust import TrustRow, TrustTable
from runtime.power.costs import Cost, LevelCosts
from tests.unit.dialogue.world import CONFIG, World, ask, responder, state

AT = Rates(cpu_s=0.5, joule=0.05)


def costs(cpu_s: float, joules: float = 0.0) -> LevelCosts:
    """So much for each answer, however long."""
    return LevelCosts(
        model="m",
        version="v",
        device="cpu",
        source="rapl" if joules else "cpu",
        measured_ns=1,
        load=Cost(cpu_s=0.0),
        answer=Cost(cpu_s=cpu_s, joules=joules),
        prefill=Cost(cpu_s=0.0),
        decode=Cost(cpu_s=0.0),
        characters_per_token=4.0,
        max_new_tokens=50,
    )


COSTS = {"sensory": costs(2.0), "tactical": costs(6.0), "specialized": costs(20.0)}


def means(known: dict[str, LevelCosts] | None = None, table: TrustTable | None = None) -> Means:
    known = COSTS if known is None else known
    return Means(CONFIG.levels, known.get, table or TrustTable(entries=0, rows=[]), AT, 100, 0)


def row(level: str, atp: float, evidence: float) -> TrustRow:
    return TrustRow(level=level, version="v", context="moving", mean=0.5, low=0.1, high=0.9, evidence=evidence, atp=atp)


@pytest.fixture
def world() -> World:
    made = World()
    made.energy = Energy(atp=80, capacity=100, income=0, spent={}, atp_per_cpu_s=0.5, atp_per_joule=0.05)
    made.costed = dict(COSTS)
    return made


def test_an_estimate_is_what_was_calibrated_else_what_was_charged():
    assert means().estimate("tactical") == 3.0
    assert means({"tactical": costs(6.0, joules=40.0)}).estimate("tactical") == 2.0
    table = TrustTable(entries=3, rows=[row("tactical", 1.0, 3), row("tactical", 5.0, 1), row("sensory", 0.0, 9)])
    assert means({}, table).estimate("tactical") == 2.0
    assert means({}, table).estimate("sensory") == 0.0


def test_a_refusal_leads_to_the_most_capable_level_there_is_energy_for():
    def asked(available: float) -> Choice:
        refused = Reserved(ident="x", granted=False, atp=0, remaining=0, available=available, reason="poor")
        return reserving.instead(Choice("specialized", "best", trusted=True), refused, means())

    assert [asked(available).level for available in (9.0, 3.0, 2.9, 1.0, 0.0)] == [
        "tactical",
        "tactical",
        "sensory",
        "sensory",
        "sensory",
    ]
    assert asked(3.0).why == "best; tactical instead of specialized, for which there is no energy (poor)"
    assert reserving.dearer("tactical", means()) == {"specialized"}


async def test_what_the_chosen_level_costs_is_held_before_it_is_asked(world: World) -> None:
    answer = await ask(world, "what is 2 plus 2")
    (wish,) = world.wishes
    assert (wish.ident, wish.kind, wish.atp, wish.least) == (answer.exchange, "exchange", 1.0, True)
    assert wish.ttl_s == pytest.approx(60 + reserving.SLACK_S)
    names = [stage.name for stage in answer.stages]
    assert names.index("choose") < names.index("reserve") < names.index("generate.sensory")
    assert not world.delivered


async def test_nothing_is_held_where_nothing_is_known_of_the_costs(world: World) -> None:
    world.costed = {}
    answer = await ask(world, "what is 2 plus 2")
    assert (answer.answered_by, world.wishes) == ("sensory", [])
    assert "reserve" not in [stage.name for stage in answer.stages]


async def test_a_dear_choice_that_is_refused_gives_way_to_a_cheaper_one(world: World) -> None:
    world.metabolic = state(answer="quality")
    world.available = 4.0
    world.workers["tactical"].confidence = 0.1
    answer = await ask(world, "what is 2 plus 2")
    assert [(wish.atp, wish.least) for wish in world.wishes] == [(10.0, False), (3.0, True)]
    assert answer.answered_by == "tactical", "there is no energy for a larger one, however unsure it is"
    assert "tactical instead of specialized, for which there is no energy (too dear)" in answer.why
    assert not world.workers["specialized"].requests


async def test_whoever_names_a_level_gets_it(world: World) -> None:
    world.available = 0.0
    answer = await ask(world, "what is 2 plus 2", level="specialized")
    assert (answer.answered_by, [wish.least for wish in world.wishes]) == ("specialized", [True])


async def test_better_overdrawn_than_silent(world: World) -> None:
    world.metabolic = state(answer="quality")
    world.available = 0.0
    for name in ("sensory", "tactical"):
        world.workers[name].error = CalleeLost("gone")
    answer = await ask(world, "what is 2 plus 2")
    assert answer.answered_by == "specialized"


async def test_without_a_controller_it_goes_on_and_says_so(world: World) -> None:
    world.available = DeadlineExceeded("no answer in time")
    answer = await ask(world, "what is 2 plus 2")
    assert answer.answered_by == "sensory"
    assert "no energy was held: no answer in time" in answer.why


async def test_a_further_level_is_held_for_on_top_of_what_was_spent_before_it_is_asked(world: World) -> None:
    world.workers["sensory"].confidence = 0.1
    answer = await ask(world, "what is 2 plus 2")
    assert answer.answered_by == "tactical"
    assert [(wish.atp, wish.least) for wish in world.wishes] == [(1.0, True), (pytest.approx(0.2 + 3.0), False)]
    assert len({wish.ident for wish in world.wishes}) == 1
    stages = [(stage.name, stage.detail) for stage in answer.stages if stage.name == "reserve"]
    assert stages == [("reserve", "1.000 ATP for sensory"), ("reserve", "3.200 ATP with tactical")]


async def test_where_a_further_level_is_refused_the_first_answer_stands_and_says_so(world: World) -> None:
    world.workers["sensory"].confidence = 0.1
    world.available = 2.0
    answer = await ask(world, "what is 2 plus 2")
    assert (answer.answered_by, answer.text, world.aloud.strip()) == ("sensory", "four .", "four .")
    assert "sensory: not confident enough (0.10 of 0.80), but there is no energy for tactical (too dear)" in answer.why
    (tried,) = answer.tried
    assert (tried.accepted, tried.why.endswith("no energy for tactical (too dear)")) == (True, True)
    assert [stage.detail for stage in answer.stages if stage.name == "reserve"][1] == "tactical: too dear"
    assert not world.workers["tactical"].requests


async def test_in_a_crisis_no_further_level_is_refused(world: World) -> None:
    world.workers["sensory"].confidence = 0.1
    world.available, world.crisis = 0.0, True
    assert (await ask(world, "what is 2 plus 2")).answered_by == "tactical"


async def test_where_nothing_was_said_that_could_stand_the_next_is_asked_whatever_there_is(world: World) -> None:
    world.workers["sensory"].text = " "
    world.available = 0.0
    answer = await ask(world, "what is 2 plus 2")
    assert (answer.answered_by, [wish.least for wish in world.wishes]) == ("tactical", [True, True])


async def test_where_a_further_level_fails_and_the_one_after_is_refused_the_first_answer_stands(world: World) -> None:
    world.workers["sensory"].confidence = 0.1
    world.workers["tactical"].error = UnknownNode("gone")
    world.available = 5.0
    answer = await ask(world, "what is 2 plus 2")
    assert (answer.answered_by, answer.text) == ("sensory", "four .")
    assert "there was no energy for specialized (too dear)" in answer.why


async def test_an_answer_that_dies_with_its_worker_is_billed_with_the_one_that_takes_its_place(world: World) -> None:
    """4 s of processor time for every answer of the small level, however short; 0.4 s as the other measured it."""
    world.workers["sensory"].error = CalleeLost("killed")
    world.workers["sensory"].fails_after = 1
    world.costed["sensory"] = costs(4.0)
    answer = await ask(world, "what is 2 plus 2")
    assert (answer.answered_by, answer.atp) == ("tactical", pytest.approx(4.4 * AT.cpu_s))
    (finished,) = world.kept
    (settle,) = [one.request for one in deliveries(finished) if one.destination == METABOLISM]
    assert settle.cpu_s == pytest.approx(4.4)


async def test_an_answer_that_dies_uncalibrated_is_billed_by_what_its_process_was_seen_to_take(world: World) -> None:
    world.costed = {}
    world.cpu_s["model_worker/sensory"] = 7.0
    worker = world.workers["sensory"]
    worker.error, worker.fails_after, worker.holds = CalleeLost("killed"), 1, asyncio.Event()
    asking = asyncio.create_task(ask(world, "what is 2 plus 2", level="sensory"))
    await worker.started.wait()
    world.cpu_s["model_worker/sensory"] = 8.5
    worker.holds.set()
    with pytest.raises(CalleeLost):
        await asking
    (delivery,) = world.delivered
    assert delivery.request.cpu_s == 1.5


async def test_a_settlement_that_fails_does_not_hide_what_the_exchange_failed_of(world: World) -> None:
    for worker in world.workers.values():
        worker.error = UnknownNode("gone")
    world.undeliverable = sqlite3.DatabaseError("malformed")
    made = responder(world)
    with pytest.raises(UnknownNode) as failed:
        await made.respond(world.exchange("what is 2 plus 2"))
    assert failed.value.__notes__ == ["what it cost could not be settled: DatabaseError: malformed"]
    assert made.counts["without.settlement"] == 1


async def test_what_came_to_nothing_is_settled_and_teaches_nothing(world: World) -> None:
    for worker in world.workers.values():
        worker.error = UnknownNode("gone")
    with pytest.raises(UnknownNode):
        await ask(world, "what is 2 plus 2")
    (delivery,) = world.delivered
    assert (delivery.destination, delivery.request.ident) == ("metabolic_controller", world.wishes[0].ident)
    assert delivery.request.cpu_s == 0.0


async def test_what_is_held_is_given_back_where_nobody_waits_any_more_before_a_model_is_asked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, grant = asyncio.Event(), world.reserve

    async def slowly(request: Reserve, trace: bytes) -> Reserved:
        granted = await grant(request, trace)
        held.set()
        await asyncio.Event().wait()
        return granted

    monkeypatch.setattr(world, "reserve", slowly)
    asking = asyncio.create_task(ask(world, "what is 2 plus 2"))
    await held.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    (delivery,) = world.delivered
    assert (delivery.destination, delivery.request.ident) == ("metabolic_controller", world.wishes[0].ident)


@pytest.mark.parametrize(
    ("atp", "reserved", "for_dreams", "level"),
    [
        (80.0, 0.0, 0.0, "specialized"),
        (0.0, 0.0, 0.0, "tactical"),
        (80.0, 80.0, 0.0, "tactical"),
        (80.0, 80.0, 80.0, "specialized"),
    ],
)
async def test_a_poor_account_moves_the_choice_to_a_cheaper_level_and_refuses_nobody(
    world: World, atp: float, reserved: float, for_dreams: float, level: str
) -> None:
    """What is held for others is not there to be spent. Nobody notices wrong answers here: no cascade evens it out."""
    world.energy = Energy(
        atp=atp,
        capacity=100,
        income=0,
        spent={},
        atp_per_cpu_s=0.5,
        reserved=reserved,
        reserved_for_dreams=for_dreams,
    )
    config = msgspec.structs.replace(CONFIG, choice=ChoiceSettings(noticed=0.0, alarms=0.0))
    answer = await responder(world, config=config).respond(world.exchange("what is 2 plus 2"))
    assert (answer.answered_by, len(world.wishes)) == (level, 1)
