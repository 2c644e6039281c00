"""Whatever is believed and whatever is left: a choice is always made, always one of the levels, always the same."""

from hypothesis import given
from hypothesis import strategies as st

from nodes.dialogue.choice import Candidate, ChoiceSettings, Situation, cascade_worth, choose, options
from protocol.messages.trust import TrustRow, TrustTable
from tests.unit.dialogue.world import TRUST

NAMES = ("sensory", "tactical", "specialized")
CONTEXTS = ("stable", "novel", "unknown")

share = st.floats(0, 1)


@st.composite
def rows(draw: st.DrawFn) -> TrustRow:
    low, mean, high = sorted(draw(st.tuples(share, share, share)))
    return TrustRow(
        level=draw(st.sampled_from(NAMES)),
        version=draw(st.sampled_from(["v1", "v2"])),
        context=draw(st.sampled_from(CONTEXTS)),
        mean=mean,
        low=low,
        high=high,
        evidence=draw(st.floats(0, 1000)),
        atp=draw(st.one_of(st.just(0.0), st.floats(1e-6, 100))),
    )


situations = st.builds(
    lambda known, context, **others: Situation(
        context=context, trust=TRUST, table=TrustTable(entries=len(known), rows=known), **others
    ),
    st.lists(rows(), max_size=12),
    st.sampled_from(CONTEXTS),
    versions=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["v1", "v2", "v3"])),
    policy=st.sampled_from(["cheapest", "quality", "largest"]),
    atp=st.one_of(st.none(), st.floats(-50, 150)),
    session_level=st.sampled_from(["", *NAMES]),
    draw=st.floats(0, 1, exclude_max=True),
)
settings = st.builds(
    ChoiceSettings,
    trusted_at=share,
    price=share,
    explore=share,
    noticed=share,
    alarms=share,
    poor_below=st.floats(0, 50),
)
levels = st.lists(
    st.builds(lambda name, cost, here: (name, cost, here), st.sampled_from(NAMES), st.floats(0.01, 100), st.booleans()),
    min_size=1,
    max_size=3,
    unique_by=lambda given: given[0],
).map(lambda given: [Candidate(name, cost, available=here) for name, cost, here in given])


@given(levels, situations, settings)
def test_one_of_the_levels_is_chosen_with_a_reason(
    candidates: list[Candidate], situation: Situation, wanted: ChoiceSettings
) -> None:
    choice = choose(candidates, situation, wanted)
    chosen = next(level for level in candidates if level.name == choice.level)
    assert choice.why
    assert chosen.available or not any(level.available for level in candidates)
    assert choose(candidates, situation, wanted) == choice


@given(levels, situations, settings)
def test_trust_is_only_claimed_where_it_was_earned(
    candidates: list[Candidate], situation: Situation, wanted: ChoiceSettings
) -> None:
    choice = choose(candidates, situation, wanted)
    if choice.trusted and situation.policy != "largest":
        known = {option.name: option for option in options(candidates, situation, wanted)}
        assert known[choice.level].belief.low >= wanted.trusted_at


@given(levels, situations, settings)
def test_what_a_cascade_is_worth_stays_a_probability_and_a_bounded_cost(
    candidates: list[Candidate], situation: Situation, wanted: ChoiceSettings
) -> None:
    for right, cost in cascade_worth(options(candidates, situation, wanted), wanted):
        assert -1e-9 <= right <= 1 + 1e-9
        assert 0 < cost <= len(candidates) + 1e-9
