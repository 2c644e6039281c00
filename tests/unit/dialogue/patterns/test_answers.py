"""A pattern's answer goes the one path that every answer goes, and says what it does not know."""

import pytest

from protocol.messages.dialogue import ExchangeCompleted
from tests.unit.dialogue.world import World, ask, responder


@pytest.fixture
def world() -> World:
    return World()


async def test_no_model_is_asked_and_the_answer_names_the_moment(world: World) -> None:
    answer = await ask(world, "Sage, what time will it be in ten minutes?")
    assert (answer.answered_by, answer.text) == ("pattern", "In ten minutes it will be 14:15.")
    assert answer.why == "pattern time_ahead"
    assert not any(worker.requests for worker in world.workers.values())
    assert world.heard(ExchangeCompleted)


async def test_what_is_not_known_is_said_and_counted_and_not_left_to_a_model(world: World) -> None:
    world.energy = None
    made = responder(world)
    answer = await made.respond(world.exchange("how are you"))
    assert (answer.answered_by, answer.text) == ("pattern", "I am here, but nobody tells me how I am.")
    assert "atp is not known" in answer.why
    assert made.stats()["without.atp"] == 1


async def test_other_patterns_come_into_force_between_two_questions(world: World) -> None:
    made = responder(world)
    assert (await made.respond(world.exchange("battery"))).answered_by == "pattern"
    kept = [pattern for pattern in made.patterns.patterns if pattern.name != "battery"]
    made.patterns = type(made.patterns)(kept, made.patterns.slots, made.patterns.courtesy)
    assert (await made.respond(world.exchange("battery"))).answered_by != "pattern"
