"""Which answers stand, and who goes on."""

import pytest

from nodes.dialogue.cascade import Attempt, cut, judge, tried
from nodes.dialogue.choice import Candidate
from protocol.messages.model import Generated
from runtime.verifiers import Verdict

SMALL = Candidate("sensory", 1.0, accept_at=0.8)
LARGE = Candidate("specialized", 5.0, accept_at=0.8)


def attempt(
    *,
    level: Candidate = SMALL,
    confidence: float = 0.9,
    text: str = "twelve .",
    stop_reason: str = "stop",
    score: float | None = None,
) -> Attempt:
    generated = Generated(
        text=text,
        ids=[1, 2],
        stop_reason=stop_reason,
        tokens_reused=3,
        tokens_computed=4,
        tokens_generated=2,
        confidence=confidence,
        level=level.name,
        model="m",
        version="v",
        seconds={},
        cpu_s=0.5,
    )
    verdict = None if score is None else Verdict(score, "sums")
    return Attempt(level, generated, 0.7, "reference" if verdict else "", verdict)


def decide(one: Attempt, *, following: Candidate | None = LARGE, asked_for: bool = False, time_left: bool = True):
    return judge(one, following, asked_for=asked_for, time_left=time_left)


def test_a_confident_answer_stands() -> None:
    decision = decide(attempt())
    assert decision.accept
    assert "confident" in decision.why


def test_an_unsure_answer_is_handed_on() -> None:
    decision = decide(attempt(confidence=0.5))
    assert not decision.accept
    assert "0.50 of 0.80" in decision.why
    assert "specialized goes on" in decision.why


def test_a_verdict_has_no_say_in_whether_an_answer_stands() -> None:
    assert decide(attempt(confidence=0.99, score=0.0)).accept
    assert not decide(attempt(confidence=0.01, score=1.0)).accept


@pytest.mark.parametrize("stop_reason", ["length", "deadline"])
def test_an_answer_that_was_cut_is_handed_on(stop_reason: str) -> None:
    one = attempt(stop_reason=stop_reason)
    assert not decide(one).accept
    assert cut(one)


def test_silence_is_handed_on() -> None:
    assert not decide(attempt(text="  ")).accept


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"following": None}, "no larger level"),
        ({"asked_for": True}, "asked for"),
        ({"time_left": False}, "no time is left"),
    ],
)
def test_a_doubtful_answer_stands_where_nobody_can_go_on_and_says_so(changes: dict[str, object], why: str) -> None:
    decision = decide(attempt(confidence=0.1), **changes)
    assert decision.accept
    assert why in decision.why


def test_what_was_tried_reports_costs_and_reason() -> None:
    one = attempt(confidence=0.5)
    report = tried(one, decide(one))
    assert (report.level, report.version, report.cpu_s, report.seconds) == ("sensory", "v", 0.5, 0.7)
    assert (report.tokens_reused, report.tokens_computed, report.tokens_generated) == (3, 4, 2)
    assert not report.accepted
    assert "goes on" in report.why
