from __future__ import annotations

import msgspec
import pytest

from nodes.dream_consolidator import settings as configuration
from nodes.dream_consolidator.validation import checks
from nodes.dream_consolidator.validation.ruling import BASE, IN_FORCE, REST, Ruling, rule
from nodes.dream_consolidator.validation.trial import (
    ACCEPTED,
    AGREEMENT,
    Manner,
    Trial,
    judge_answer,
    repeated_share,
)
from nodes.dream_consolidator.validation.verdict import page
from protocol.messages.dream import DreamCompleted
from protocol.messages.model import ChatMessage
from tests.process.dream_consolidator.tiny import TinyVerifier

SETTINGS = configuration.load().judge
SURE, UNSURE = 0.95, 0.3


def manner(right: bool, **changes: object) -> Manner:
    told = {"tokens": 6, "repeated": 0.0, "finished": True, "confidence": SURE if right else UNSURE, **changes}
    return Manner(**told)


def trials(stratum: str, *, target: bool, gained: int = 0, lost: int = 0, kept: int = 0, missed: int = 0):
    kinds = [(False, True)] * gained + [(True, False)] * lost + [(True, True)] * kept + [(False, False)] * missed
    return [
        Trial(
            stratum=stratum,
            target=target,
            before=before,
            after=after,
            judge="exact",
            cluster=f"{stratum}/{number % 20}",
            before_manner=manner(before),
            after_manner=manner(after),
        )
        for number, (before, after) in enumerate(kinds)
    ]


def changed(each: Trial, **manners: object) -> Trial:
    assert each.after_manner is not None
    return msgspec.structs.replace(each, after_manner=msgspec.structs.replace(each.after_manner, **manners))


LEARNED = [*trials("sums", target=True, gained=40, lost=2, kept=10, missed=20)]
KEPT = [*trials("names", target=False, kept=150, missed=50), *trials("times", target=False, kept=100)]


def failed(ruling: Ruling) -> list[str]:
    assert ruling.promoted == all(check.passed for check in ruling.checks)
    return [check.name for check in ruling.checks if not check.passed]


def test_a_real_improvement_that_costs_nothing_is_promoted_with_its_numbers() -> None:
    ruling = rule([*LEARNED, *KEPT], SETTINGS)
    assert ruling.promoted
    assert failed(ruling) == []
    assert "72 held-out questions of what was taught: 16.7% → 69.4% (40 gained, 2 lost, p = 2.06e-10)" in ruling.why
    assert "judged by exact (372)" in ruling.why
    assert [(each.name, each.questions) for each in ruling.results] == [("names", 200), ("sums", 72), ("times", 100)]
    assert ruling.p_value == pytest.approx(2.06e-10, rel=1e-2)
    assert ruling.gain == pytest.approx(38 / 72)
    assert ruling.gain_low is not None
    assert ruling.gain_high is not None
    assert 0.3 < ruling.gain_low < ruling.gain < ruling.gain_high < 0.75


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (5, 0), (9, 2), (10, 10), (3, 12)])
def test_no_improvement_beyond_what_the_dream_may_spend_is_refused(gained: int, lost: int) -> None:
    ruling = rule([*trials("sums", target=True, gained=gained, lost=lost, kept=40), *KEPT], SETTINGS)
    assert "better on what was taught" in failed(ruling)


def test_what_convinced_a_first_dream_does_not_convince_after_many_in_vain() -> None:
    some = [*trials("sums", target=True, gained=9, lost=0, kept=40), *KEPT]
    assert rule(some, SETTINGS).promoted
    late = rule(some, SETTINGS, [False] * 20)
    assert failed(late) == ["better on what was taught"]
    assert rule(some, SETTINGS, [*[False] * 20, True]).promoted


def test_one_lost_skill_refuses_whatever_the_average_gained() -> None:
    ruling = rule(
        [
            *LEARNED,
            *KEPT,
            *trials("dates", target=False, kept=8, lost=12),
            *trials("colours", target=False, kept=100, gained=50),
        ],
        SETTINGS,
    )
    assert failed(ruling) == [f"no skill lost, against {IN_FORCE}"]
    assert "dates 100.0% → 40.0% of 20" in ruling.why


def test_a_taught_skill_that_was_lost_refuses_too() -> None:
    ruling = rule([*LEARNED, *KEPT, *trials("dates", target=True, kept=10, lost=10)], SETTINGS)
    assert ruling.p_value is not None
    assert ruling.alpha is not None
    assert ruling.p_value < ruling.alpha
    assert failed(ruling) == [f"no skill lost, against {IN_FORCE}"]


def test_one_loss_in_each_of_many_skills_is_seen() -> None:
    many = [trial for number in range(8) for trial in trials(f"skill {number}", target=False, kept=11, lost=1)]
    ruling = rule([*LEARNED, *many, *trials("echo", target=False, kept=400)], SETTINGS)
    assert "the small ones together 100.0% → 91.7% of 96" in ruling.why or "100.0% → 95" in ruling.why


def test_two_lost_questions_of_a_small_skill_are_chance_and_five_are_not() -> None:
    ruling = rule([*LEARNED, *KEPT, *trials("dates", target=False, kept=12, lost=2)], SETTINGS)
    assert f"no skill lost, against {IN_FORCE}" not in failed(ruling)
    ruling = rule([*LEARNED, *KEPT, *trials("dates", target=False, kept=9, lost=5)], SETTINGS)
    assert "dates 100.0% → 64.3% of 14" in ruling.why


def test_strata_with_few_questions_are_judged_together() -> None:
    few = [trial for number in range(5) for trial in trials(f"s{number}", target=False, kept=2, lost=2)]
    ruling = rule([*LEARNED, *KEPT, *few], SETTINGS)
    assert [each.name for each in ruling.results] == ["names", REST, "sums", "times"]
    assert not ruling.promoted


def test_a_small_sample_shows_nothing_and_refuses_although_nothing_changed() -> None:
    ruling = rule([*LEARNED, *trials("names", target=False, kept=130)], SETTINGS)
    assert failed(ruling) == [f"nothing else lost, against {IN_FORCE}"]
    assert "too few: at least 133 are needed to show it" in ruling.why
    assert rule([*LEARNED, *trials("names", target=False, kept=140)], SETTINGS).promoted
    assert not rule(LEARNED, SETTINGS).promoted, "without any question of what was not taught there is nothing to show"


def test_a_loss_within_the_margin_that_the_sample_cannot_bound_refuses() -> None:
    even = trials("names", target=False, gained=8, lost=8, kept=284)
    ruling = rule([*LEARNED, *even], SETTINGS)
    assert failed(ruling) == [f"nothing else lost, against {IN_FORCE}"], "no loss was found, but 2% not ruled out"
    assert rule([*LEARNED, *trials("names", target=False, gained=8, lost=8, kept=784)], SETTINGS).promoted


def test_it_must_be_no_worse_than_the_model_it_was_learned_from_either() -> None:
    def against_base(stratum: str, *, base: bool) -> list[Trial]:
        return [msgspec.structs.replace(each, base=base) for each in trials(stratum, target=False, missed=150)]

    learned = [msgspec.structs.replace(each, base=False) for each in LEARNED]
    kept = [msgspec.structs.replace(each, base=each.before) for each in KEPT]
    assert rule([*learned, *kept, *against_base("dates", base=False)], SETTINGS).promoted
    forgot = rule([*learned, *kept, *against_base("dates", base=True)], SETTINGS)
    assert failed(forgot) == [f"nothing else lost, against {BASE}", f"no skill lost, against {BASE}"]
    assert {each.name: each.base for each in forgot.results} == {"dates": 1.0, "names": 0.75, "sums": 0.0, "times": 1.0}


def test_a_gain_of_one_template_alone_refuses() -> None:
    alone = [
        *(msgspec.structs.replace(each, cluster="one") for each in trials("sums", target=True, gained=40)),
        *trials("sums", target=True, missed=60, kept=20, lost=1),
    ]
    assert failed(rule([*alone, *KEPT], SETTINGS)) == ["better across templates"]


def test_with_few_templates_the_interval_across_them_is_told_and_decides_nothing() -> None:
    few = [msgspec.structs.replace(each, cluster=str(number % 3)) for number, each in enumerate(LEARNED)]
    (check,) = [each for each in rule([*few, *KEPT], SETTINGS).checks if each.name == "better across templates"]
    assert check.passed
    assert "too few to decide by" in check.required
    assert check.found.endswith("over 3 templates")


@pytest.mark.parametrize("astray", [{"finished": False}, {"repeated": 0.7}])
def test_answers_that_find_no_end_or_go_round_in_circles_refuse(astray: dict[str, object]) -> None:
    looping = [changed(each, **astray) if number % 20 == 0 else each for number, each in enumerate(KEPT)]
    assert failed(rule([*LEARNED, *looping], SETTINGS)) == ["no loops"]


def test_answers_that_went_astray_before_are_no_reason() -> None:
    before = [msgspec.structs.replace(each, before_manner=manner(each.before, finished=False)) for each in KEPT]
    both = [changed(each, finished=False) for each in before]
    assert rule([*LEARNED, *before], SETTINGS).promoted
    assert rule([*LEARNED, *both], SETTINGS).promoted


@pytest.mark.parametrize(("tokens", "refused"), [(3, True), (6, False), (7, False), (9, True)])
def test_answers_to_what_was_not_taught_stay_as_long_as_they_were(tokens: int, refused: bool) -> None:
    ruling = rule([*LEARNED, *(changed(each, tokens=tokens) for each in KEPT)], SETTINGS)
    assert failed(ruling) == (["as long as before"] if refused else [])
    longer = rule([*(changed(each, tokens=20) for each in LEARNED), *KEPT], SETTINGS)
    assert longer.promoted, "what was taught may be answered at another length"


def test_a_student_that_is_sure_of_what_it_does_not_know_is_refused() -> None:
    boasting = [changed(each, confidence=0.99) for each in KEPT]
    assert failed(rule([*LEARNED, *boasting], SETTINGS)) == ["confidence worth as much"]
    honest = [changed(each, confidence=0.99 if each.after else 0.05) for each in KEPT]
    assert rule([*LEARNED, *honest], SETTINGS).promoted


def test_half_learned_answers_that_are_given_as_half_sure_are_no_reason() -> None:
    half = [changed(each, confidence=0.5) for each in LEARNED]
    assert rule([*half, *KEPT], SETTINGS).promoted


def test_what_was_not_recorded_is_not_shown() -> None:
    bare = [msgspec.structs.replace(each, before_manner=None, after_manner=None) for each in [*LEARNED, *KEPT]]
    assert failed(rule(bare, SETTINGS)) == ["no loops", "as long as before", "confidence worth as much"]


def test_nothing_judged_changes_nothing() -> None:
    ruling = rule([], SETTINGS)
    assert (ruling.promoted, ruling.p_value, ruling.results) == (False, None, [])
    untaught = rule(trials("names", target=False, gained=50), SETTINGS)
    assert (untaught.promoted, untaught.why) == (False, "no held-out question of what was taught")


@pytest.mark.parametrize(
    ("gained", "lost", "questions", "worse"),
    [
        (0, 4, 20, False),
        (0, 5, 20, True),
        (0, 5, 1000, False),
        (0, 21, 1000, True),
        (60, 81, 1000, True),
        (60, 79, 1000, False),
    ],
)
def test_a_skill_is_lost_where_the_loss_is_more_than_the_margin_and_more_than_chance(
    gained: int, lost: int, questions: int, worse: bool
) -> None:
    assert checks.got_worse((gained, lost, questions), SETTINGS) == worse


def test_nothing_got_no_worse() -> None:
    assert not checks.got_worse((0, 0, 0), SETTINGS)


def test_a_verifier_judges_what_it_knows_then_who_accepted_an_answer_then_the_teacher() -> None:
    known, unknown = ([ChatMessage(role="user", content=text)] for text in ("swap ash bay", "how are you"))
    right = judge_answer([TinyVerifier()], known, "bay ash", "something else", "another")
    assert right is not None
    assert (right.right, right.judge, right.skill) == (True, "tiny", "swap")
    accepted = judge_answer([TinyVerifier()], unknown, "Well, thanks", "fine", "well,  thanks")
    assert accepted is not None
    assert (accepted.right, accepted.judge) == (True, ACCEPTED)
    agreed = judge_answer([TinyVerifier()], unknown, " Fine,  thanks", "fine, thanks ")
    assert agreed is not None
    assert (agreed.right, agreed.judge, agreed.skill) == (True, AGREEMENT, "")
    assert judge_answer([TinyVerifier()], unknown, "fine", " ") is None


def test_repetition_is_the_share_of_n_grams_that_came_before() -> None:
    assert repeated_share([1, 2, 3, 4, 5]) == 0.0
    assert repeated_share([]) == repeated_share([1, 1]) == 0.0
    assert repeated_share([7] * 12) == pytest.approx(0.9)
    assert repeated_share([1, 2, 3, 4] * 8) > 0.8


def test_the_page_tells_every_check_and_every_skill_whatever_came_of_the_dream() -> None:
    ruling = rule([*LEARNED, *trials("a|b", target=False, kept=10, lost=30)], SETTINGS)
    text = page(
        DreamCompleted(
            dream="d1", level="small", promoted=False, why=ruling.why, results=ruling.results, checks=ruling.checks
        )
    )
    assert text.startswith("# Dream d1\n\nsmall: **refused**. not shown: ")
    assert all(check.name in text and check.required in text for check in ruling.checks)
    assert "| a\\|b | 40 | 100.0% | 25.0% |" in text
    assert page(DreamCompleted(dream="d2", level="", promoted=False, why="too little")).count("\n") == 5
