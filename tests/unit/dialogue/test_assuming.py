"""An answer given before comes before any model, and only where nobody asked for one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nodes.dialogue.conversation import Conversation
from nodes.dialogue.deliveries import METABOLISM, deliveries
from nodes.dialogue.grounds import Recalled
from protocol.messages.dialogue import ReplyCompleted
from protocol.messages.metabolism import Metabolic, Settle
from protocol.messages.model import ChatMessage
from tests.unit.dialogue.world import World, ask, state

HELD = Recalled(text="four .", level="tactical", confidence=0.97, rests_on=("model/tactical",), cpu_s=0.001)


@pytest.fixture
def world() -> World:
    return World()


async def test_a_held_answer_is_given_without_classifying_or_any_model(world: World) -> None:
    world.recalled = HELD
    answer = await ask(world, "what is 2 plus 2", speak=True)
    assert (answer.text, answer.answered_by, answer.confidence) == ("four .", "assumption", 0.97)
    assert [stage.name for stage in answer.stages] == ["pattern", "assume", "first_part", "record"]
    assert "1970-01-01" in answer.why
    assert "rests on model/tactical" in answer.why
    assert not any(worker.requests for worker in world.workers.values())
    assert world.aloud == "four ."
    assert world.heard(ReplyCompleted)[0].speak


async def test_it_is_a_turn_of_the_conversation_like_any_other(world: World) -> None:
    world.recalled = HELD
    await ask(world, "what is 2 plus 2")
    assert [message.content for message in world.conversations["s"].messages] == ["what is 2 plus 2", "four ."]
    assert world.conversations["s"].level == "tactical"
    world.recalled = Recalled(why="none")
    await ask(world, "and 3 more")
    assert [message.content for message in world.workers["sensory"].requests[0].messages] == [
        "what is 2 plus 2",
        "four .",
        "and 3 more",
    ]


async def test_what_it_cost_is_settled_and_nothing_else_is_owed(world: World) -> None:
    world.recalled = HELD
    answer = await ask(world, "what is 2 plus 2")
    (owed,) = deliveries(world.kept[0])
    assert (owed.destination, owed.key) == (METABOLISM, answer.exchange)
    assert isinstance(owed.request, Settle)
    assert owed.request.cpu_s == 0.001
    assert answer.atp == pytest.approx(0.001 * 0.5)


async def test_a_pattern_comes_first_and_asks_nothing(world: World) -> None:
    world.recalled = HELD
    assert (await ask(world, "hello")).answered_by == "pattern"
    assert world.asked == []


async def test_whoever_names_a_level_gets_that_level_and_its_answer_is_not_taken_for_given(world: World) -> None:
    world.recalled = HELD
    answer = await ask(world, "what is 2 plus 2", level="sensory")
    assert answer.answered_by == "sensory"
    assert world.asked == []
    assert world.remembered[0][0].fresh


async def test_all_that_the_model_would_be_given_is_the_question(world: World) -> None:
    before = (ChatMessage(role="user", content="a"), ChatMessage(role="assistant", content="b"))
    world.conversations["s"] = Conversation(messages=before)
    await ask(world, "what is 2 plus 2", max_new_tokens=7)
    (question,) = world.asked
    assert (question.messages[:2], question.text, question.limit) == (before, "what is 2 plus 2", 7)
    assert not question.alone
    assert [message.content for message in world.workers["sensory"].requests[0].messages] == [
        message.content for message in question.messages
    ]


async def test_in_a_crisis_only_what_the_largest_level_said_is_good_enough(world: World) -> None:
    world.metabolic = state(Metabolic.CRISIS, "largest")
    await ask(world, "what is 2 plus 2")
    assert world.asked[0].only == "specialized"


async def test_so_it_is_where_the_asker_says_that_much_depends_on_it(world: World) -> None:
    await ask(world, "what is 2 plus 2", critical=True)
    await ask(world, "what is 2 plus 2", session="t")
    assert [question.only for question in world.asked] == ["specialized", ""]


async def test_what_a_model_answered_is_remembered_once_it_is_written_down(world: World) -> None:
    answer = await ask(world, "what is 2 plus 2")
    ((question, finished),) = world.remembered
    assert (question, finished.answer) == (world.asked[0], answer)
    assert replace(world.kept[0], answer=answer) == finished
