from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.dream_consolidator import settings as configuration
from nodes.dream_consolidator.validation.ruling import AGREEMENT, REST, Trial, got_worse, judge_answer, mcnemar, rule
from protocol.messages.model import ChatMessage
from tests.process.dream_consolidator.tiny import TinyVerifier

SETTINGS = configuration.load().judge


def trials(stratum: str, *, target: bool, gained: int = 0, lost: int = 0, kept: int = 0, missed: int = 0):
    kinds = [(False, True)] * gained + [(True, False)] * lost + [(True, True)] * kept + [(False, False)] * missed
    return [Trial(stratum=stratum, target=target, before=a, after=b, judge="exact") for a, b in kinds]


def test_a_real_improvement_that_costs_nothing_is_promoted_with_its_numbers() -> None:
    ruling = rule(
        [*trials("sums", target=True, gained=9, lost=1, missed=20), *trials("names", target=False, kept=50)], SETTINGS
    )
    assert ruling.promoted
    assert ruling.p_value == pytest.approx(11 / 1024)
    assert "30 held-out questions of what was taught: 3.3% → 30.0% (9 gained, 1 lost, p = 0.0107)" in ruling.why
    assert "judged by exact (80)" in ruling.why
    assert [(each.name, each.questions) for each in ruling.results] == [("names", 50), ("sums", 30)]


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (4, 0), (6, 2), (10, 10), (3, 12)])
def test_no_improvement_beyond_chance_is_refused(gained: int, lost: int) -> None:
    ruling = rule(trials("sums", target=True, gained=gained, lost=lost, kept=40), SETTINGS)
    assert not ruling.promoted
    assert ruling.why.startswith("no improvement beyond chance on what was taught")


def test_one_lost_skill_refuses_whatever_the_average_gained() -> None:
    ruling = rule(
        [
            *trials("sums", target=True, gained=80, missed=20),
            *trials("names", target=False, kept=8, lost=12),
            *trials("times", target=False, kept=20, gained=20),
        ],
        SETTINGS,
    )
    assert not ruling.promoted
    assert ruling.why.startswith("names got worse, 100.0% → 40.0% of 20.")


def test_a_taught_skill_that_was_lost_refuses_too() -> None:
    ruling = rule([*trials("sums", target=True, gained=60), *trials("dates", target=True, kept=10, lost=10)], SETTINGS)
    assert ruling.p_value is not None
    assert ruling.p_value < SETTINGS.alpha
    assert not ruling.promoted


def test_one_loss_in_each_of_many_skills_is_seen() -> None:
    many = [trial for number in range(8) for trial in trials(f"skill {number}", target=False, kept=11, lost=1)]
    ruling = rule([*trials("sums", target=True, gained=60), *many], SETTINGS)
    assert ruling.why.startswith("the small strata together got worse, 100.0% → 91.7% of 96; all that was not taught")


def test_two_lost_questions_of_a_small_skill_are_chance_and_five_are_not() -> None:
    sums, others = trials("sums", target=True, gained=60), trials("echo", target=False, kept=100)
    assert rule([*sums, *others, *trials("names", target=False, kept=12, lost=2)], SETTINGS).promoted
    ruling = rule([*sums, *others, *trials("names", target=False, kept=9, lost=5)], SETTINGS)
    assert ruling.why.startswith("names got worse, 100.0% → 64.3% of 14")


def test_strata_with_few_questions_are_judged_together() -> None:
    few = [trial for number in range(5) for trial in trials(f"s{number}", target=False, kept=2, lost=2)]
    ruling = rule([*trials("sums", target=True, gained=30), *few], SETTINGS)
    assert [each.name for each in ruling.results] == [REST, "sums"]
    assert not ruling.promoted


def test_nothing_judged_changes_nothing() -> None:
    ruling = rule([], SETTINGS)
    assert (ruling.promoted, ruling.p_value, ruling.results) == (False, None, [])
    untaught = rule(trials("names", target=False, gained=50), SETTINGS)
    assert (untaught.promoted, untaught.why) == (False, "no held-out question of what was taught")


def test_mcnemar_is_the_upper_tail_of_a_fair_coin() -> None:
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(5, 0) == 1 / 32
    assert mcnemar(4, 0) > 0.05
    assert mcnemar(8, 2) == pytest.approx(56 / 1024)
    assert 0 < mcnemar(1200, 900) < 1e-9


@given(st.integers(0, 300), st.integers(0, 300))
def test_better_and_worse_are_mirror_images(gained: int, lost: int) -> None:
    assert mcnemar(gained, lost) + mcnemar(lost + 1, gained - 1) == pytest.approx(1.0) if gained else True
    assert mcnemar(gained + 1, lost) <= mcnemar(gained, lost)


@pytest.mark.parametrize(("questions", "net"), [(50, 1), (99, 1), (100, 2), (1000, 20)])
def test_net_losses_are_tolerated_up_to_the_margin(questions: int, net: int) -> None:
    at_the_margin = trials("s", target=False, lost=net + 3, gained=3, kept=questions - net - 6)
    assert not got_worse(at_the_margin, SETTINGS)
    assert got_worse([*at_the_margin[:-1], *trials("s", target=False, lost=1)], SETTINGS)


def test_nothing_got_no_worse() -> None:
    assert not got_worse([], SETTINGS)


def test_a_verifier_judges_what_it_knows_and_the_teacher_the_rest() -> None:
    known, unknown = ([ChatMessage(role="user", content=text)] for text in ("swap ash bay", "how are you"))
    right = judge_answer([TinyVerifier()], known, "bay ash", "something else")
    assert right is not None
    assert (right.right, right.judge, right.skill) == (True, "tiny", "swap")
    agreed = judge_answer([TinyVerifier()], unknown, " Fine,  thanks", "fine, thanks ")
    assert agreed is not None
    assert (agreed.right, agreed.judge, agreed.skill) == (True, AGREEMENT, "")
    assert judge_answer([TinyVerifier()], unknown, "fine", " ") is None
