"""The path from words to an answer, and what becomes of it when parts of the world are gone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from nodes.dialogue.conversation import Conversation
from protocol.errors import BadRequest, CalleeLost, DeadlineExceeded, UnknownNode
from protocol.messages.context import Context
from protocol.messages.dialogue import ExchangeCompleted, ExchangeStarted, ReplyCompleted
from protocol.messages.metabolism import Metabolic
from protocol.messages.model import ChatMessage
from runtime.verifiers import Verdict
from tests.unit.dialogue.world import ASLEEP, World, ask, responder, state


class Marker:
    """Knows every question; right is what it was told."""

    name = "marker"

    def __init__(self, right: str) -> None:
        self.right = right

    def verify(self, messages: Sequence[ChatMessage], answer: str) -> Verdict | None:
        return Verdict(float(answer.strip() == self.right), "sums", self.right)


class Broken:
    name = "broken"

    def verify(self, messages: Sequence[ChatMessage], answer: str) -> Verdict | None:
        raise ZeroDivisionError("of its own making")


@pytest.fixture
def world() -> World:
    return World()


async def test_a_pattern_answers_without_any_model(world: World) -> None:
    answer = await ask(world, "What time is it?")
    assert (answer.text, answer.answered_by, answer.complete) == ("It is 14:05.", "pattern", True)
    assert not any(worker.requests for worker in world.workers.values())
    assert world.aloud == answer.text
    assert [stage.name for stage in answer.stages] == ["pattern", "first_part", "record"]


async def test_a_pattern_knows_state_and_energy(world: World) -> None:
    answer = await ask(world, "how are you")
    assert answer.text == "I am in WAKE, with 80 of 100 energy."


async def test_a_confident_small_level_answers_alone(world: World) -> None:
    answer = await ask(world, "what is 2 plus 2")
    assert (answer.text, answer.answered_by) == ("four .", "sensory")
    assert [one.level for one in answer.tried] == ["sensory"]
    assert answer.context is Context.MOVING
    assert answer.atp == pytest.approx(0.4 * 0.5)
    assert "nothing shown in moving yet" in answer.why
    assert [stage.name for stage in answer.stages] == [
        "pattern",
        "assume",
        "classify",
        "choose",
        "generate.sensory",
        "first_part",
        "record",
    ]


async def test_an_unsure_level_hands_on_and_its_words_are_never_given_out(world: World) -> None:
    world.workers["sensory"].confidence = 0.2
    world.workers["sensory"].text = " nonsense ."
    answer = await ask(world, "what is 2 plus 2")
    assert (answer.text, answer.answered_by) == ("four .", "tactical")
    assert [one.accepted for one in answer.tried] == [False, True]
    assert "0.20 of 0.80" in answer.why
    assert "".join(part.text for part in world.parts) == "four ."


async def test_a_verifier_scores_the_answer_and_changes_nothing_about_it(world: World) -> None:
    world.workers["sensory"].text = " five ."
    answer = await ask(world, "what is 2 plus 2", Marker("four ."))
    assert (answer.answered_by, answer.text) == ("sensory", "five .")
    assert (answer.score, answer.verifier) == (0.0, "marker")


async def test_a_verifier_that_breaks_costs_nobody_an_answer(world: World) -> None:
    answer = await ask(world, "what is 2 plus 2", Broken())
    assert answer.text == "four ."
    assert "a verifier failed: ZeroDivisionError" in answer.why


async def test_a_level_that_may_be_heard_at_once_streams(world: World) -> None:
    world.metabolic = state(Metabolic.CRISIS, "largest")
    answer = await ask(world, "what is 2 plus 2", speak=True)
    assert answer.answered_by == "specialized"
    assert [part.text for part in world.parts] == ["four", " ."]
    assert [part.index for part in world.parts] == [0, 1]
    assert all(part.speak for part in world.parts)
    assert world.heard(ReplyCompleted)[0].parts == 2


async def test_the_level_asked_for_answers_and_no_other(world: World) -> None:
    world.workers["sensory"].confidence = 0.1
    answer = await ask(world, "what is 2 plus 2", level="sensory")
    assert answer.answered_by == "sensory"
    assert [one.level for one in answer.tried] == ["sensory"]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"level": "huge"}, "there are sensory, tactical, specialized"),
        ({"session": ""}, "name"),
        ({"text": " "}, "nothing"),
    ],
)
async def test_what_cannot_be_answered_is_refused_before_it_begins(
    world: World, changes: dict[str, str], complaint: str
) -> None:
    with pytest.raises(BadRequest, match=complaint):
        await ask(world, **{"text": "what is 2 plus 2", **changes})
    assert not world.said


async def test_words_that_were_not_understood_are_answered_so(world: World) -> None:
    answer = await ask(world, "", source="voice", speak=True)
    assert "did not understand" in answer.text
    assert world.heard(ReplyCompleted)[0].speak


async def test_who_sleeps_is_roused_first(world: World) -> None:
    world.metabolic = ASLEEP
    answer = await ask(world, "what is 2 plus 2")
    assert len(world.rouses) == 1
    assert (answer.metabolic_state, answer.metabolic_number) == ("WAKE", 5)
    assert answer.stages[0].name == "rouse"
    assert answer.stages[0].detail == "REST → WAKE"


async def test_without_a_controller_the_answer_comes_all_the_same(world: World) -> None:
    world.metabolic = ASLEEP
    world.roused = DeadlineExceeded("did not answer")
    answering = responder(world)
    answer = await answering.respond(world.exchange("what is 2 plus 2"))
    assert answer.text == "four ."
    assert "without being roused" in answer.why
    assert answering.stats()["without.rouse"] == 1


async def test_where_nothing_is_known_of_the_metabolism_that_is_said(world: World) -> None:
    world.metabolic = world.energy = None
    answer = await ask(world, "what is 2 plus 2")
    assert "the metabolic state is not known" in answer.why
    assert answer.atp == 0


async def test_without_a_sense_of_context_the_answer_comes_all_the_same(world: World) -> None:
    world.context = UnknownNode("nobody of that name is here")
    answering = responder(world)
    answer = await answering.respond(world.exchange("what is 2 plus 2"))
    assert (answer.text, answer.context) == ("four .", None)
    assert "the context is not known" in answer.why
    assert answering.stats()["without.classify"] == 1


async def test_a_level_that_fails_is_followed_by_the_next_and_it_is_said(world: World) -> None:
    del world.workers["sensory"]
    answering = responder(world)
    answer = await answering.respond(world.exchange("what is 2 plus 2"))
    assert answer.answered_by == "tactical"
    assert "sensory gave no answer" in answer.why
    assert answering.stats()["failed.sensory"] == 1


async def test_a_level_that_dies_in_the_middle_is_withdrawn(world: World) -> None:
    world.metabolic = state(Metabolic.CRISIS, "largest")
    dying = world.workers["specialized"]
    dying.text, dying.error, dying.fails_after = " two and", CalleeLost("died"), 2
    answer = await ask(world, "what is 2 plus 2")
    assert (answer.answered_by, answer.text) == ("tactical", "four .")
    assert [part.restart for part in world.parts] == [False, True, False]
    assert world.aloud == "four ."


async def test_a_level_known_to_be_gone_is_not_even_asked(world: World) -> None:
    world.gone = frozenset({"model_worker/sensory"})
    answer = await ask(world, "what is 2 plus 2")
    assert answer.answered_by == "tactical"
    assert "sensory not available" in answer.why
    assert not world.workers["sensory"].requests


async def test_a_doubtful_answer_stands_when_those_who_could_go_on_are_gone(world: World) -> None:
    world.workers["sensory"].confidence = 0.2
    for level in ("tactical", "specialized"):
        world.workers[level].error = CalleeLost("died")
    answer = await ask(world, "what is 2 plus 2")
    assert answer.answered_by == "sensory"
    assert world.aloud == answer.text == "four ."
    assert "specialized gave no answer" in answer.why


async def test_when_no_level_answers_the_asker_learns_why_and_a_voice_is_not_left_in_silence(world: World) -> None:
    for worker in world.workers.values():
        worker.error = CalleeLost("died")
    with pytest.raises(CalleeLost):
        await ask(world, "what is 2 plus 2", source="voice", speak=True)
    assert world.aloud == "I cannot answer now."
    assert world.heard(ReplyCompleted)
    (completed,) = world.heard(ExchangeCompleted)
    assert completed.answer is None
    assert "died" in completed.error


async def test_without_time_left_a_doubtful_answer_stands(world: World) -> None:
    world.workers["sensory"].confidence = 0.2
    world.workers["sensory"].seconds = 9.5
    answer = await ask(world, "what is 2 plus 2", within_s=10)
    assert answer.answered_by == "sensory"
    assert "no time is left" in answer.why


async def test_an_unfinished_answer_says_so(world: World) -> None:
    world.workers["specialized"].stop_reason = "length"
    answer = await ask(world, "what is 2 plus 2", level="specialized")
    assert not answer.complete
    assert "limit of tokens" in answer.why


async def test_a_conversation_goes_on_and_patterns_are_not_part_of_it(world: World) -> None:
    answering = responder(world)
    for text in ("what is 2 plus 2", "thanks", "and 3 more"):
        await answering.respond(world.exchange(text))
    seen = world.workers["sensory"].requests[-1].messages
    assert [message.content for message in seen] == ["what is 2 plus 2", " four .", "and 3 more"]
    assert [message.role for message in seen] == ["user", "assistant", "user"]


async def test_a_conversation_too_long_for_its_level_is_shortened_and_that_is_said(world: World) -> None:
    turn = [ChatMessage(role="user", content="x" * 50), ChatMessage(role="assistant", content="y" * 50)]
    world.conversations["s"] = Conversation(messages=tuple(turn * 4))
    world.workers["sensory"].takes = 150
    answer = await ask(world, "what is 2 plus 2")
    assert answer.answered_by == "sensory"
    assert "older half of the conversation was left out" in answer.why
    assert len(world.workers["sensory"].requests[-1].messages) == 3


async def test_a_question_too_long_by_itself_goes_to_the_next_level(world: World) -> None:
    world.workers["sensory"].takes = 3
    assert (await ask(world, "what is 2 plus 2")).answered_by == "tactical"


async def test_the_world_hears_beginning_pieces_and_end_in_order(world: World) -> None:
    answer = await ask(world, "what is 2 plus 2", source="http")
    assert [type(body) for body in world.said] == [ExchangeStarted, ReplyCompleted, ExchangeCompleted]
    assert world.heard(ExchangeStarted)[0].source == "http"
    assert world.heard(ExchangeCompleted)[0].answer == answer
    assert world.kept[0].answer.text == answer.text
    assert world.traces[0].exchange == answer.exchange


async def test_turns_of_one_conversation_wait_for_each_other_and_others_do_not(world: World) -> None:
    answering = responder(world)
    held = world.workers["sensory"]
    held.holds = asyncio.Event()
    first = asyncio.create_task(answering.respond(world.exchange("first question here")))
    await held.started.wait()
    second = asyncio.create_task(answering.respond(world.exchange("second question here")))
    other = asyncio.create_task(answering.respond(world.exchange("elsewhere entirely", session="t", level="tactical")))
    await other
    assert len(held.requests) == 1
    held.holds.set()
    await asyncio.gather(first, second)
    assert [len(request.messages) for request in held.requests] == [1, 3]


async def test_stop_ends_what_is_being_answered_in_this_conversation_only(world: World) -> None:
    answering = responder(world)
    for level in ("sensory", "tactical"):
        world.workers[level].holds = asyncio.Event()
    mine = asyncio.create_task(answering.respond(world.exchange("tell me of the sea")))
    others = asyncio.create_task(answering.respond(world.exchange("and the hills", session="t", level="tactical")))
    for level in ("sensory", "tactical"):
        await world.workers[level].started.wait()
    assert (await answering.respond(world.exchange("stop"))).answered_by == "pattern"
    with pytest.raises(asyncio.CancelledError):
        await mine
    assert not others.done()
    ended = next(body for body in world.heard(ExchangeCompleted) if body.answer is None)
    assert not ended.error
    world.workers["tactical"].holds.set()
    assert (await others).answered_by == "tactical"
    assert answering.stats()["under_way"] == 0


async def test_first_part_counts_from_the_end_of_speech(world: World) -> None:
    before_ns = world.clock.mono_ns()
    world.clock.advance(0.3)
    answer = await ask(world, "what is 2 plus 2", source="voice", utterance_end_ns=before_ns)
    first = next(stage for stage in answer.stages if stage.name == "first_part")
    assert first.seconds == pytest.approx(0.8)
    assert first.detail == "since the end of speech"
