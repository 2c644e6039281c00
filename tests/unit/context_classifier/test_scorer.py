"""Each part answers to its own cause; what is learned later changes only what hangs on it."""

import msgspec
import pytest

from nodes.context_classifier import scoring
from nodes.context_classifier.feature import Feature
from nodes.context_classifier.ranks import Histories
from nodes.context_classifier.salience import Salience, Weights
from nodes.context_classifier.scorer import Saved, Scorer
from protocol.messages.context import Context, ExchangeScored, Reward, ScoreExchange

CALM = {name: Feature(0.0, "") for name in ("surprise", "novelty", "arousal", "conflict")}


def scorer(saved: Saved | None = None, **settings: object) -> Scorer:
    return Scorer(Weights(), Salience(**settings), remembered=100, saved=saved)


def request(exchange: str = "e", session: str = "s", **told: object) -> ScoreExchange:
    values: dict[str, object] = {
        "context": Context.STABLE,
        "confidence": 0.97,
        "reply_peak": 0.02,
        "nll_level": "small",
    }
    return ScoreExchange(exchange=exchange, session=session, question="q", answer="a", **{**values, **told})


def experienced(count: int = 40, **settings: object) -> Scorer:
    """One that has met ordinary exchanges: mostly right, hardly ever in doubt."""
    made = scorer(**settings)
    for number in range(count):
        told = request(
            f"before {number}", f"session {number % 3}", score=1.0, verifier="v", input_excess=number % 5 / 5
        )
        made.of_exchange(told, CALM)
    return made


def score(made: Scorer, **told: object) -> ExchangeScored:
    return made.of_exchange(request(**told), CALM)


def test_a_confident_right_answer_rewards_and_neither_surprises_nor_conflicts() -> None:
    snarc = score(experienced(), score=1.0, verifier="v").snarc
    assert snarc.reward > 0.4
    assert snarc.surprise < 0.6
    assert snarc.conflict == 0
    assert snarc.salience < 0.35


def test_a_confident_wrong_answer_surprises_and_is_a_conflict() -> None:
    snarc = score(experienced(), score=0.0, verifier="v").snarc
    assert min(snarc.surprise, snarc.conflict) > 0.9
    assert snarc.reward == 0
    assert snarc.salience > 0.7
    assert "sure by 0.97, right by 0.00 (v)" in snarc.why


@pytest.mark.parametrize("told", [{"input_excess": 5.0}, {"reply_peak": 2.5}, {"reply_peak": None, "confidence": 0.1}])
def test_what_the_small_model_did_not_expect_surprises(told: dict[str, object]) -> None:
    snarc = score(experienced(), **told).snarc
    assert snarc.surprise > 0.9
    assert "usually" in snarc.why


def test_a_model_that_is_always_in_doubt_does_not_surprise_by_doubt() -> None:
    made = scorer()
    for number in range(40):
        made.of_exchange(request(f"before {number}", reply_peak=2.5), CALM)
    assert score(made, reply_peak=2.5).snarc.surprise == 0


def test_levels_are_measured_against_themselves_alone() -> None:
    made = experienced()
    for number in range(40):
        made.of_exchange(request(f"other {number}", reply_peak=2.5, nll_level="other"), CALM)
    assert score(made, exchange="x", reply_peak=2.5, nll_level="other").snarc.surprise == 0
    assert score(made, exchange="y", reply_peak=2.5, nll_level="small").snarc.surprise > 0.9


def test_levels_that_disagreed_are_a_conflict_by_how_sure_they_were() -> None:
    made = experienced()
    faint, strong = (score(made, exchange=str(sure), disagreement=sure).snarc for sure in (0.2, 0.85))
    assert 0 < faint.conflict < strong.conflict
    assert faint.salience < strong.salience


def test_failures_and_a_cut_answer_arouse() -> None:
    made = experienced()
    assert score(made, exchange="x", failures=2).snarc.arousal > 0.7
    assert score(made, exchange="y", complete=False).snarc.arousal > 0.4


def test_what_came_in_counts_on() -> None:
    heard = {name: Feature(0.9, "as it was heard") for name in CALM}
    snarc = experienced().of_exchange(request(), heard).snarc
    assert min(snarc.surprise, snarc.novelty, snarc.arousal, snarc.conflict) > 0.9
    assert "as it was heard" in snarc.why


def test_a_score_is_given_once_and_repeated_after() -> None:
    made = experienced()
    assert made.repeated("e") is None
    first = made.of_exchange(request(score=1.0), CALM)
    assert made.repeated("e") == first
    assert made.stats()["repeated"] == 1


# Later


def test_a_late_reward_scores_anew_under_the_next_revision() -> None:
    made = experienced()
    before = score(made)
    after, changed = made.reward(Reward(exchange="e", value=0.0, source="user"))
    assert changed
    assert (before.revision, after.revision) == (0, 1)
    assert (before.outcome, after.outcome, after.outcome_source) == (None, 0.0, "user")
    assert after.snarc.conflict > 0.9 > before.snarc.conflict
    assert after.snarc.salience > before.snarc.salience
    assert after.snarc.novelty == before.snarc.novelty


def test_a_late_reward_leads_where_an_early_one_would_have_led() -> None:
    early = score(experienced(), score=0.0, verifier="user").snarc
    made = experienced()
    score(made)
    late = made.reward(Reward(exchange="e", value=0.0, source="user"))[0].snarc
    assert late == msgspec.structs.replace(early, why=late.why)


def test_told_the_same_twice_nothing_changes() -> None:
    made = experienced()
    score(made)
    reward = Reward(exchange="e", value=1.0, source="user")
    first, _ = made.reward(reward)
    again, changed = made.reward(reward)
    assert (again, changed) == (first, False)


def test_whoever_has_less_authority_changes_nothing() -> None:
    made = experienced()
    score(made, score=1.0, verifier="v")
    outranked, changed = made.reward(Reward(exchange="e", value=0.0, source="correction"))
    assert (changed, outranked.revision, outranked.outcome_source) == (False, 0, "v")
    overruled, changed = made.reward(Reward(exchange="e", value=0.0, source="user"))
    assert (changed, overruled.revision, overruled.outcome) == (True, 1, 0.0)
    assert made.stats()["outranked"] == 1


def test_that_nobody_complained_is_a_reward_and_proves_nothing() -> None:
    made = experienced()
    before = score(made)
    after, _ = made.reward(Reward(exchange="e", value=0.6, source="uncorrected"))
    assert after.snarc.reward > 0
    assert (after.snarc.surprise, after.snarc.conflict) == (before.snarc.surprise, before.snarc.conflict)


def test_an_exchange_that_nobody_remembers_is_said_to_be_unknown() -> None:
    made = scorer()
    unknown, changed = made.reward(Reward(exchange="never", value=1.0, source="user"))
    assert (unknown.known, changed, made.stats()["unknown"]) == (False, False, 1)


# Conversations


def test_a_conversation_is_worth_what_its_exchanges_were_less_with_every_one_since() -> None:
    made = experienced(fade=0.5)
    struck = score(made, score=0.0, verifier="v")
    calmer = score(made, exchange="e2", score=1.0, verifier="v")
    calm = score(made, exchange="e3", score=1.0, verifier="v")
    worths = [each.conversation.salience for each in (struck, calmer, calm) if each.conversation]
    assert worths == sorted(worths, reverse=True)
    assert len(set(worths)) == 3
    assert "2 exchanges ago" in made.conversation("s").snarc.why
    assert made.conversation("s").exchanges == 3


def test_a_late_reward_reaches_the_conversation_too() -> None:
    made = experienced()
    before = score(made)
    after, _ = made.reward(Reward(exchange="e", value=0.0, source="user"))
    assert before.conversation is not None
    assert after.conversation is not None
    assert after.conversation.salience > before.conversation.salience


def test_of_an_unknown_conversation_nothing_is_known() -> None:
    known = scorer().conversation("never")
    assert (known.exchanges, known.snarc.salience) == (0, 0.0)


def test_a_forgotten_conversation_is_known_no_more_and_its_exchanges_belong_to_nobody() -> None:
    made = experienced()
    score(made)
    assert made.forget("s")
    assert not made.forget("s")
    assert made.conversation("s").exchanges == 0
    revised, changed = made.reward(Reward(exchange="e", value=0.0, source="user"))
    assert (changed, revised.session) == (True, "")


# What is kept


def test_what_is_remembered_is_bounded() -> None:
    made = Scorer(Weights(), Salience(conversations=3, history=20), remembered=5)
    for number in range(50):
        made.of_exchange(request(f"e{number}", f"s{number}", nll_level=f"l{number}"), CALM)
    stats = made.stats()
    assert (stats["exchanges"], stats["conversations"]) == (5, 3)
    assert max(len(values) for values in made.save().histories.values()) == 20


def test_it_goes_on_after_a_restart_as_if_it_had_not_stopped() -> None:
    made = experienced()
    score(made)
    data = msgspec.msgpack.encode(made.save())
    restored = scorer(msgspec.msgpack.decode(data, type=Saved))
    reward = Reward(exchange="e", value=0.0, source="user")
    assert restored.reward(reward) == made.reward(reward)
    assert score(restored, exchange="next", input_excess=2.0) == score(made, exchange="next", input_excess=2.0)


def test_an_outcome_costs_what_its_probability_says() -> None:
    assert scoring.outcome_nats(0.98, 1.0) == pytest.approx(0.0202, abs=1e-3)
    assert scoring.outcome_nats(0.98, 0.0) == pytest.approx(3.912, abs=1e-3)
    assert scoring.outcome_nats(1.0, 0.0) < 7
    assert scoring.usual_outcome(3.0, Histories(10, 2)).middle == pytest.approx(0.693, abs=1e-3)
