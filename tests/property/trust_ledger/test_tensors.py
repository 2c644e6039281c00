from hypothesis import given
from hypothesis import strategies as st

from nodes.trust_ledger.tensors import (
    BREACH,
    EXPECTED,
    GRADED,
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

RULES = ReputationRules()
YEAR_NS = 365 * 86_400 * 10**9
SHARE = st.floats(0, 1)
DEEDS = st.builds(
    Deed,
    kind=st.sampled_from([GRADED, NOVEL, SUCCESS, EXPECTED, UNEXPECTED, BREACH]),
    score=SHARE,
    confidence=SHARE,
    delivered=st.booleans(),
    worth=SHARE,
    weight=SHARE,
    same=st.sampled_from(["cluster 1", "cluster 2"]),
)
HISTORIES = st.lists(st.tuples(DEEDS, st.integers(-YEAR_NS // 100, YEAR_NS)), max_size=40)


def after(history: list[tuple[Deed, int]]) -> Standing:
    standing, at_ns = Standing(), 0
    for number, (deed, passed) in enumerate(history, 1):
        at_ns += passed
        standing, _ = moved(standing, deed, number, at_ns, RULES)
    return standing


@given(HISTORIES, st.integers(0, 10 * YEAR_NS))
def test_every_dimension_stays_between_nothing_and_all(history, passed):
    standing = after(history)
    for t3, v3 in ((standing.t3, standing.v3), (faded(standing, standing.at_ns + passed, RULES).t3, standing.v3)):
        for tensor in (t3, v3):
            assert all(0.0 <= getattr(tensor, name) <= 1.0 for name in tensor.__struct_fields__)
            assert 0.0 <= tensor.composite <= 1.0


@given(st.integers(1, 500))
def test_the_discount_never_rises_and_never_falls_under_its_least(n):
    assert RULES.repetition_least <= discount(n + 1, RULES) <= discount(n, RULES) <= 1.0


@given(HISTORIES, st.integers(0, 10 * YEAR_NS))
def test_time_never_takes_talent(history, passed):
    standing = after(history)
    assert faded(standing, standing.at_ns + passed, RULES).t3.talent == standing.t3.talent


@given(HISTORIES, st.integers(0, YEAR_NS), st.integers(0, YEAR_NS))
def test_fading_in_two_steps_is_fading_in_one(history, first, second):
    standing = after(history)
    once = faded(standing, standing.at_ns + first + second, RULES)
    twice = faded(faded(standing, standing.at_ns + first, RULES), standing.at_ns + first + second, RULES)
    for name in once.t3.__struct_fields__:
        assert abs(getattr(once.t3, name) - getattr(twice.t3, name)) < 1e-12


@given(HISTORIES, DEEDS)
def test_a_success_never_lowers_and_a_failure_never_raises_t3(history, deed):
    before = after(history)
    moved_to, _ = moved(before, deed, 99, before.at_ns, RULES)
    up = deed.kind in (NOVEL, SUCCESS) or (deed.kind == GRADED and deed.score >= 0.5)
    for name in before.t3.__struct_fields__:
        one, other = getattr(before.t3, name), getattr(moved_to.t3, name)
        assert other >= one if up else other <= one
