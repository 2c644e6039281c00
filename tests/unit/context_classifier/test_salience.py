"""Each part of salience answers to its own cause."""

import pytest

from nodes.context_classifier.salience import Weights, of_exchange
from protocol.messages.context import Context, ScoreExchange, Snarc

WEIGHTS = Weights()


def scored(*, score: float | None, confidence: float = 0.9, levels: int = 1, heard: Snarc | None = None) -> Snarc:
    request = ScoreExchange(
        exchange="e",
        session="s",
        question="q",
        answer="a",
        context=Context.STABLE,
        confidence=confidence,
        score=score,
        levels_tried=levels,
    )
    return of_exchange(request, heard, WEIGHTS)


def test_a_confident_right_answer_surprises_little_and_rewards() -> None:
    snarc = scored(score=1.0, confidence=0.98)
    assert snarc.surprise < 0.05
    assert snarc.reward == 1
    assert snarc.conflict == 0


def test_a_confident_wrong_answer_surprises_and_is_a_conflict() -> None:
    snarc = scored(score=0.0, confidence=0.98)
    assert snarc.surprise > 0.95
    assert snarc.conflict > 0.95
    assert snarc.reward == 0


def test_without_a_verdict_there_is_no_reward_and_doubt_is_the_surprise() -> None:
    snarc = scored(score=None, confidence=0.3)
    assert snarc.reward == 0
    assert snarc.surprise == pytest.approx(0.7)


def test_levels_that_disagreed_are_a_conflict() -> None:
    assert scored(score=None, levels=3).conflict == pytest.approx(2 / 3)


def test_what_came_in_counts_on() -> None:
    heard = Snarc(surprise=0.8, novelty=0.7, arousal=0.6, conflict=0.5)
    snarc = scored(score=None, confidence=1.0, heard=heard)
    assert (snarc.surprise, snarc.novelty, snarc.arousal, snarc.conflict) == (0.8, 0.7, 0.6, 0.5)
    assert "novelty 0.70" in snarc.why


def test_nothing_is_floored() -> None:
    snarc = scored(score=None, confidence=1.0)
    assert snarc.salience == 0
    assert snarc.why == "nothing out of the ordinary"


def test_the_whole_is_the_weighted_mean_of_the_parts() -> None:
    snarc = scored(score=0.0, confidence=1.0)
    parts = (snarc.surprise, snarc.novelty, snarc.arousal, snarc.reward, snarc.conflict)
    expected = sum(part * weight for part, weight in zip(parts, WEIGHTS.parts, strict=True)) / sum(WEIGHTS.parts)
    assert snarc.salience == pytest.approx(expected)


def test_weights_that_weigh_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="weight"):
        Weights(surprise=0, novelty=0, arousal=0, reward=0, conflict=0)
    with pytest.raises(ValueError, match="weight"):
        Weights(surprise=-1)
