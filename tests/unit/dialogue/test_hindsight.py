"""What is learned of an exchange after it was over."""

from __future__ import annotations

import msgspec
import pytest

from nodes.dialogue import hindsight
from nodes.dialogue.conversation import Conversation, extended, shortened
from nodes.dialogue.deliveries import CONTEXT, DREAM, TRUST, deliveries, following, rewarding
from protocol.errors import BadRequest, CalleeLost
from protocol.messages.context import Classified, Context, ExchangeScored, Reward, ScoreExchange, Snarc
from protocol.messages.dialogue import Feedback, TraceReply
from protocol.messages.dream import Revise
from protocol.messages.trust import Judge
from tests.unit.dialogue.world import CONFIG, World, ask, responder

SNARC = Snarc(salience=0.8)
ENDED, SOON = 10**9, 3 * 10**9


def classified(correction: float, repetition: float = 0.0) -> Classified:
    return Classified(
        session="s",
        context=Context.STABLE,
        confidence=0.9,
        cluster=1,
        snarc=Snarc(),
        correction=correction,
        repetition=repetition,
    )


def after(answer: str, exchange: str = "e1") -> Conversation:
    told = extended(Conversation(), "where is the cup", answer, "sensory", CONFIG.conversation, exchange)
    return msgspec.structs.replace(told, ended_ns=ENDED)


def test_a_turn_that_corrects_takes_the_reward_of_the_one_before() -> None:
    assert hindsight.of_turn(after("in the hall ."), classified(1.0), SOON) == Reward(
        exchange="e1", value=0.0, source="correction"
    )


def test_a_turn_that_does_not_is_a_small_reward() -> None:
    assert hindsight.of_turn(after("in the hall ."), classified(0.0), SOON) == Reward(
        exchange="e1", value=hindsight.ACCEPTED, source="uncorrected"
    )


def test_the_same_asked_again_at_once_lets_one_think_that_the_answer_did_not_serve() -> None:
    again = hindsight.of_turn(after("in the hall ."), classified(0.0, repetition=1.0), SOON)
    assert again == Reward(exchange="e1", value=hindsight.ASKED_AGAIN, source="repetition")
    assert hindsight.of_turn(after("in the hall ."), classified(1.0, repetition=1.0), SOON) == Reward(
        exchange="e1", value=0.0, source="correction"
    )


@pytest.mark.parametrize(
    ("before", "now_ns"),
    [
        (after("in the hall ."), ENDED + hindsight.SOON_NS + 1),
        (after("in the hall ."), ENDED - 1),
        (msgspec.structs.replace(after("in the"), ended_ns=0), SOON),
        (after("which cup ?"), SOON),
    ],
    ids=["later", "before the machine began anew", "after half an answer", "in reply"],
)
def test_asked_again_for_another_reason_it_says_nothing(before: Conversation, now_ns: int) -> None:
    assert hindsight.of_turn(before, classified(0.0, repetition=1.0), now_ns) is None


def test_after_a_question_a_no_is_an_answer() -> None:
    assert hindsight.of_turn(after("the red one ?"), classified(1.0), SOON) is None


def test_nothing_is_thought_of_what_no_model_said_and_of_what_nobody_classified() -> None:
    assert hindsight.of_turn(Conversation(), classified(1.0), SOON) is None
    assert hindsight.of_turn(after("noted .", exchange=""), classified(1.0), SOON) is None
    assert hindsight.of_turn(after("in the hall ."), None, SOON) is None


def test_a_shortened_conversation_still_knows_its_last_exchange() -> None:
    assert shortened(after("in the hall .")).exchange == "e1"


@pytest.mark.parametrize(("by", "stands"), [("repetition", True), ("reference", False)])
async def test_a_question_asked_again_is_told_to_the_ledger_where_nothing_surer_is_known(by: str, stands: bool) -> None:
    world = World()
    await ask(world, "where is the cup")
    assert isinstance(world.context, Classified)
    world.context = msgspec.structs.replace(world.context, repetition=1.0)
    await ask(world, "where is the cup")
    first = world.kept[0].answer.exchange
    owed = deliveries(world.kept[1])
    assert not any(isinstance(each.request, Judge) for each in owed)
    (told,) = [each for each in owed if isinstance(each.request, Reward)]
    scored = ExchangeScored(exchange=first, snarc=SNARC, revision=1, outcome=0.2, outcome_source=by)
    revised = following(told, scored)
    assert revised is not None
    assert revised.destination == DREAM
    judged = following(revised, None)
    assert (judged is not None) == stands
    if judged is not None:
        assert (judged.destination, judged.request.exchange, judged.request.score) == (TRUST, first, 0.2)
        assert judged.request.source == "repetition"


async def test_what_came_to_no_answer_and_is_asked_again_says_nothing_of_the_answer_before_it() -> None:
    world = World()
    answering = responder(world)
    assert isinstance(world.context, Classified)
    await answering.respond(world.exchange("where is the cup"))
    for worker in world.workers.values():
        worker.error = CalleeLost("died")
    with pytest.raises(CalleeLost):
        await answering.respond(world.exchange("where is the lamp"))
    for worker in world.workers.values():
        worker.error = None
    world.context = msgspec.structs.replace(world.context, repetition=1.0)
    await answering.respond(world.exchange("where is the lamp"))
    assert world.kept[1].hindsight is None
    await answering.respond(world.exchange("where is the lamp"))
    assert world.kept[2].hindsight is not None
    assert world.kept[2].hindsight.source == "repetition"


async def test_a_correction_in_the_next_turn_is_delivered_before_the_turn_itself() -> None:
    world = World()
    await ask(world, "where is the cup")
    assert isinstance(world.context, Classified)
    world.context = msgspec.structs.replace(world.context, correction=1.0)
    await ask(world, "no it is in the kitchen")
    requests = [each.request for each in deliveries(world.kept[1]) if each.destination == CONTEXT]
    first = world.kept[0].answer.exchange
    assert requests[0] == Reward(exchange=first, value=0.0, source="correction")
    assert isinstance(requests[1], ScoreExchange)


@pytest.mark.parametrize(
    ("outcome", "source", "score"), [(0.0, "correction", 0.0), (1.0, "reference", 1.0), (0.6, "uncorrected", None)]
)
def test_the_dreamer_hears_what_stands_once_the_exchange_was_scored_anew(
    outcome: float, source: str, score: float | None
) -> None:
    delivery, _ = rewarding(Reward(exchange="e1", value=0.0, source="correction"), "k")
    scored = ExchangeScored(exchange="e1", snarc=SNARC, revision=1, outcome=outcome, outcome_source=source)
    follow = following(delivery, scored)
    assert follow is not None
    assert (follow.destination, follow.key) == (DREAM, "k")
    assert follow.request == Revise(exchange="e1", snarc=SNARC, score=score, source=source)


def test_where_nobody_remembers_the_exchange_only_a_person_is_believed() -> None:
    unknown = ExchangeScored(exchange="e1", snarc=Snarc(), known=False)
    by_turn, _ = rewarding(Reward(exchange="e1", value=0.0, source="correction"), "k")
    by_user, _ = rewarding(Reward(exchange="e1", value=0.0, source="user"), "k")
    assert following(by_turn, unknown) is None
    follow = following(by_user, unknown)
    assert follow is not None
    assert follow.request == Revise(exchange="e1", score=0.0, source="user")


def test_the_ledger_hears_what_somebody_said_or_took_back_and_a_changed_mind_as_another_judgement() -> None:
    def judged(value: float, source: str) -> list[object]:
        told = rewarding(Reward(exchange="e1", value=value, source=source), "k")
        return [each.request for each in told if each.destination == TRUST]

    (up,), (down,) = judged(1.0, "user"), judged(0.0, "user")
    assert (up.exchange, up.score, up.source, up.level) == ("e1", 1.0, "user", "")
    assert up.judgement != down.judgement
    assert judged(1.0, "user") == [up]
    assert judged(0.6, "uncorrected") == []


def trace(answered_by: str = "sensory") -> TraceReply:
    return TraceReply(exchange="e1", trace=b"", question="where is the cup", answered_by=answered_by, stages=[])


def test_feedback_is_told_to_the_sense_of_context_first() -> None:
    told, _ = hindsight.of_feedback(Feedback(exchange="e", value=1.0), trace(), ["sensory"], 7)
    assert told.request == Reward(exchange="e1", value=1.0, source="user")
    again, _ = hindsight.of_feedback(Feedback(exchange="e", value=1.0), trace(), ["sensory"], 8)
    assert told.key != again.key


@pytest.mark.parametrize(
    ("feedback", "found", "named"),
    [
        (Feedback(exchange="e", value=1.5), trace(), "between 0 and 1"),
        (Feedback(exchange="e", value=1.0, source=""), trace(), "is not somebody"),
        (Feedback(exchange="e", value=1.0, source="uncorrected"), trace(), "is not somebody"),
        (Feedback(exchange="e", value=1.0), None, "no exchange 'e' is kept"),
        (Feedback(exchange="e", value=1.0), trace("pattern"), "answered by pattern"),
    ],
)
def test_feedback_that_means_nothing_is_refused_by_name(
    feedback: Feedback, found: TraceReply | None, named: str
) -> None:
    with pytest.raises(BadRequest, match=named):
        hindsight.of_feedback(feedback, found, ["sensory"], 7)
