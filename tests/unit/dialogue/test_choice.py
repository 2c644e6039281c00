"""Choice of level: trust first, then cost, with the metabolic policy above both."""

import pytest

from nodes.dialogue.choice import (
    Candidate,
    ChoiceSettings,
    Situation,
    cascade_worth,
    choose,
    options,
    price,
    relative_costs,
)
from nodes.trust_ledger.config import PriorConfig, TrustConfig
from protocol.messages.trust import TrustRow, TrustTable

SETTINGS = ChoiceSettings()
TRUST = TrustConfig(
    prior=PriorConfig(default=0.5, levels={"sensory": 0.4, "tactical": 0.6, "specialized": 0.8}),
    half_life=86400.0,
    gamma=1.0,
    interval=0.9,
)
LEVELS = (Candidate("sensory", 1.0), Candidate("tactical", 2.5), Candidate("specialized", 5.5))


def row(level: str, mean: float, *, spread: float = 0.05, context: str = "stable", **changes: object) -> TrustRow:
    values: dict[str, object] = {"version": "v1", "evidence": 20.0, **changes}
    return TrustRow(level=level, context=context, mean=mean, low=mean - spread, high=mean + spread, **values)


def situation(*rows: TrustRow, **changes: object) -> Situation:
    return Situation(context="stable", trust=TRUST, table=TrustTable(entries=9, rows=list(rows)), **changes)


def test_the_cheapest_trusted_level_answers() -> None:
    seen = situation(row("sensory", 0.9), row("tactical", 0.95), row("specialized", 0.99))
    choice = choose(LEVELS, seen, SETTINGS)
    assert choice.level == "sensory"
    assert choice.trusted
    assert "best for its price" in choice.why


def test_a_level_that_often_fails_here_is_passed_over() -> None:
    seen = situation(row("sensory", 0.3), row("tactical", 0.95), row("specialized", 0.99))
    assert choose(LEVELS, seen, SETTINGS).level == "tactical"


def test_a_high_rate_that_rests_on_little_is_not_trust() -> None:
    """It may answer, for the cascade is behind it, but not before its answer is there as a whole."""
    choice = choose(LEVELS, situation(row("sensory", 0.85, spread=0.2), row("tactical", 0.95)), SETTINGS)
    assert (choice.level, choice.trusted) == ("sensory", False)


def test_trust_holds_for_its_context_only() -> None:
    seen = situation(row("sensory", 0.95, context="moving"), row("tactical", 0.95))
    assert choose(LEVELS, seen, SETTINGS).level == "tactical"


def test_what_an_earlier_version_showed_is_no_trust_in_the_new_one() -> None:
    seen = situation(row("sensory", 0.95), row("tactical", 0.95), versions={"sensory": "v2"})
    assert choose(LEVELS, seen, SETTINGS).level == "tactical"


def test_while_nothing_is_known_a_cascade_begins_small_and_is_not_trusted() -> None:
    choice = choose(LEVELS, situation(), SETTINGS)
    assert choice.level == "sensory"
    assert not choice.trusted
    assert "nothing shown in stable yet, 0.40 expected" in choice.why


def test_a_cascade_begins_larger_where_the_small_level_has_failed() -> None:
    seen = situation(row("sensory", 0.02), row("tactical", 0.6, spread=0.3))
    assert choose(LEVELS, seen, SETTINGS).level == "tactical"


def test_a_poor_account_moves_the_choice_to_cheaper_levels() -> None:
    rows = (row("sensory", 0.3, spread=0.2), row("tactical", 0.68, spread=0.2), row("specialized", 0.7, spread=0.2))
    rich, poor = situation(*rows, atp=100.0), situation(*rows, atp=0.0)
    assert choose(LEVELS, rich, SETTINGS).level == "tactical"
    assert choose(LEVELS, poor, SETTINGS).level == "sensory"
    assert price(rich, SETTINGS) == SETTINGS.price
    assert price(poor, SETTINGS) == pytest.approx(SETTINGS.price * SETTINGS.poor_factor)


def test_quality_takes_the_level_most_likely_right_and_keeps_the_conversations_level() -> None:
    rows = (row("sensory", 0.9), row("tactical", 0.95), row("specialized", 0.99))
    assert choose(LEVELS, situation(*rows, policy="quality"), SETTINGS).level == "specialized"
    kept = choose(LEVELS, situation(*rows, policy="quality", session_level="tactical"), SETTINGS)
    assert kept.level == "tactical"
    assert "keeps its level" in kept.why


def test_quality_does_not_keep_a_level_that_lost_its_trust() -> None:
    rows = (row("sensory", 0.2), row("specialized", 0.99))
    assert choose(LEVELS, situation(*rows, policy="quality", session_level="sensory"), SETTINGS).level == "specialized"


def test_quality_without_any_trust_takes_the_most_capable() -> None:
    choice = choose(LEVELS, situation(policy="quality"), SETTINGS)
    assert (choice.level, choice.trusted) == ("specialized", False)


def test_crisis_takes_the_largest_whatever_trust_and_energy_say() -> None:
    seen = situation(row("sensory", 0.99), row("specialized", 0.1), policy="largest", atp=0.0)
    assert choose(LEVELS, seen, SETTINGS).level == "specialized"


def test_a_level_asked_for_is_taken() -> None:
    assert choose(LEVELS, situation(asked_for="tactical"), SETTINGS).level == "tactical"


def test_a_cheaper_doubtful_level_is_tried_now_and_then() -> None:
    rows = (row("sensory", 0.5, spread=0.45), row("tactical", 0.95))
    chance = SETTINGS.explore * 0.9
    explored = choose(LEVELS, situation(*rows, draw=chance - 0.01), SETTINGS)
    assert (explored.level, explored.trusted) == ("sensory", False)
    assert "tried instead of tactical" in explored.why
    assert choose(LEVELS, situation(*rows, draw=chance + 0.01), SETTINGS).level == "tactical"


def test_a_level_known_to_be_bad_is_never_tried() -> None:
    rows = (row("sensory", 0.3, spread=0.1), row("tactical", 0.95))
    assert choose(LEVELS, situation(*rows, draw=0.0), SETTINGS).level == "tactical"


def test_a_level_that_is_not_there_is_passed_over_and_said() -> None:
    levels = (Candidate("sensory", 1.0, available=False), *LEVELS[1:])
    choice = choose(levels, situation(row("sensory", 0.95), row("tactical", 0.95)), SETTINGS)
    assert choice.level == "tactical"
    assert "sensory not available" in choice.why


def test_where_all_are_said_to_be_gone_trying_is_the_only_way_to_know() -> None:
    levels = [Candidate(level.name, level.cost, available=False) for level in LEVELS]
    assert choose(levels, situation(row("tactical", 0.95)), SETTINGS).level == "tactical"


def test_without_levels_there_is_no_choice() -> None:
    with pytest.raises(ValueError, match="no level"):
        choose((), situation(), SETTINGS)


def test_the_same_situation_gives_the_same_choice() -> None:
    seen = situation(row("sensory", 0.5, spread=0.45), row("tactical", 0.95), draw=0.2)
    assert len({choose(LEVELS, seen, SETTINGS) for _ in range(5)}) == 1


def test_costs_are_measured_where_they_were_and_to_scale_elsewhere() -> None:
    table = TrustTable(entries=1, rows=[row("tactical", 0.9, atp=0.05)])
    assert relative_costs(LEVELS, table) == pytest.approx([1 / 5.5, 2.5 / 5.5, 1.0])
    table.rows.append(row("sensory", 0.9, atp=0.05))
    assert relative_costs(LEVELS, table)[0] == pytest.approx(relative_costs(LEVELS, table)[1])


def test_a_cascade_that_notices_every_error_is_right_as_often_as_any_level_could_be() -> None:
    perfect = ChoiceSettings(noticed=1.0, alarms=0.0)
    given = options(LEVELS, situation(), perfect)
    right, cost = cascade_worth(given, perfect)[0]
    assert right == pytest.approx(1 - 0.6 * 0.4 * 0.2, abs=1e-6)
    assert cost == pytest.approx((1 + 0.6 * 2.5 + 0.6 * 0.4 * 5.5) / 5.5, abs=1e-6)


def test_a_cascade_that_notices_nothing_is_its_first_level() -> None:
    blind = ChoiceSettings(noticed=0.0, alarms=0.0)
    assert cascade_worth(options(LEVELS, situation(), blind), blind)[0] == (
        pytest.approx(0.4, abs=1e-6),
        pytest.approx(1 / 5.5),
    )
