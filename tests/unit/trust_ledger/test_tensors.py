import pytest

from nodes.trust_ledger.tensors import (
    BREACH,
    EXPECTED,
    GRADED,
    KINDS_KEPT,
    MONTH_S,
    NOVEL,
    SUCCESS,
    UNEXPECTED,
    Deed,
    ReputationRules,
    Standing,
    discount,
    faded,
    moved,
)
from protocol.messages.action import T3, V3

RULES = ReputationRules()
DAY_NS = 86_400 * 10**9
MONTH_NS = int(MONTH_S * 1e9)


def deed(kind: str, score: float = 1.0, **other: object) -> Deed:
    told = {"confidence": 0.8, "delivered": True, "worth": 1.0, "weight": 1.0, "same": "cluster 1", **other}
    return Deed(kind=kind, score=score, **told)


def after(*deeds: Deed, standing: Standing | None = None, at_ns: int = 0) -> Standing:
    standing = standing or Standing()
    for number, one in enumerate(deeds, 1):
        standing, _ = moved(standing, one, number, at_ns, RULES)
    return standing


@pytest.mark.parametrize(
    ("kind", "score", "talent", "training", "temperament"),
    [
        (NOVEL, 1.0, 0.535, 0.515, 0.51),
        (SUCCESS, 1.0, 0.5, 0.5075, 0.505),
        (EXPECTED, 0.0, 0.49, 0.5, 0.5),
        (UNEXPECTED, 0.0, 0.48, 0.49, 0.48),
        (BREACH, 1.0, 0.45, 0.5, 0.4),
        (GRADED, 0.9, 0.508, 0.5064, 0.5048),
        (GRADED, 0.1, 0.492, 0.4936, 0.4952),
    ],
)
def test_each_kind_of_deed_moves_t3_by_the_steps_of_web4(kind, score, talent, training, temperament):
    t3 = after(deed(kind, score)).t3
    assert (t3.talent, t3.training, t3.temperament) == pytest.approx((talent, training, temperament))


def test_a_judge_that_is_worth_half_moves_half_as_far():
    assert after(deed(NOVEL, weight=0.5)).t3.talent == pytest.approx(0.5175)
    assert after(deed(UNEXPECTED, 0.0, weight=0.5)).t3.talent == pytest.approx(0.49)


def test_the_same_again_gains_less_each_time_down_to_a_tenth():
    assert [discount(n, RULES) for n in (1, 2, 3)] == pytest.approx([1.0, 0.8, 0.64])
    assert discount(50, RULES) == 0.1
    assert after(deed(NOVEL), deed(NOVEL)).t3.talent == pytest.approx(0.5 + 0.035 * 1.8)
    assert after(deed(NOVEL), deed(NOVEL, same="cluster 2")).t3.talent == pytest.approx(0.57)


def test_the_same_again_loses_as_much_each_time():
    assert after(*[deed(UNEXPECTED, 0.0)] * 3).t3.talent == pytest.approx(0.44)


def test_after_a_day_the_same_is_new_again():
    once = after(deed(NOVEL), at_ns=0)
    _, within = moved(once, deed(NOVEL), 2, DAY_NS - 1, RULES)
    _, later = moved(once, deed(NOVEL), 2, DAY_NS, RULES)
    assert (within, later) == (pytest.approx(0.8), 1.0)


def test_training_fades_temperament_recovers_and_talent_stays():
    shown = Standing(t3=T3(0.3, 0.9, 0.2), actions=1)
    later = faded(shown, 10 * MONTH_NS, RULES).t3
    assert (later.talent, later.training, later.temperament) == pytest.approx((0.3, 0.89, 0.3))


def test_temperament_recovers_no_further_than_it_began_and_is_not_pulled_down():
    low, high = (Standing(t3=T3(temperament=value), actions=1) for value in (0.45, 0.9))
    assert faded(low, 100 * MONTH_NS, RULES).t3.temperament == 0.5
    assert faded(high, 100 * MONTH_NS, RULES).t3.temperament == 0.9


def test_a_clock_that_went_back_changes_nothing():
    shown = Standing(t3=T3(0.3, 0.9, 0.2), actions=1, at_ns=MONTH_NS)
    assert faded(shown, 0, RULES) == shown


def test_v3_is_what_it_was_worth_what_held_of_what_was_claimed_and_whether_it_came():
    v3 = after(deed(SUCCESS, worth=0.5, confidence=0.6, delivered=False)).v3
    assert (v3.valuation, v3.veracity, v3.validity) == pytest.approx((0.5, 0.55, 0.25))


def test_v3_goes_to_what_is_shown_and_stays_able_to_move():
    many = after(*[deed(SUCCESS, confidence=1.0)] * 200)
    assert many.v3.veracity > 0.97
    assert after(*[deed(UNEXPECTED, 0.0)] * 200, standing=many).v3.veracity < 0.05


def test_a_breach_is_worth_nothing_however_right_it_was():
    assert after(deed(BREACH, 1.0)).v3 == V3(valuation=0.25, veracity=0.25, validity=0.75)


def test_the_last_entries_are_remembered_newest_first():
    assert after(*[deed(SUCCESS)] * 7).recent == (7, 6, 5, 4, 3)


def test_however_many_kinds_there_are_a_bounded_number_is_kept():
    many = after(*(deed(SUCCESS, same=f"session {number}") for number in range(KINDS_KEPT + 50)))
    assert len(many.repeated) == KINDS_KEPT
