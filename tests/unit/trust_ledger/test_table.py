import pytest

from nodes.trust_ledger.config import TrustConfig
from nodes.trust_ledger.features import Query
from nodes.trust_ledger.table import Arm, Arms, answering, belief, expected, fold, prune, table
from protocol.messages.trust import Outcome, TrustRow, TrustTable
from runtime import config as files
from runtime import paths

CONFIG = files.load(paths.shipped("configs/trust.yaml"), TrustConfig)
DAY = 86400.0


def outcome(score: float, **other: object) -> Outcome:
    told = {"level": "sensory", "version": "v1", "context": "stable", "source": "arithmetic", "atp": 0.0, **other}
    return Outcome(exchange="x", session="s", model="m", score=score, **told)


def told(*outcomes: Outcome, at_s: float = 0.0) -> Arms:
    arms: Arms = {}
    for one in outcomes:
        arms = fold(arms, one, at_s, CONFIG)
    return arms


def row(known: TrustTable, context: str = "stable", level: str = "sensory") -> TrustRow:
    return belief(known, Arm(level, "v1", context), CONFIG)


def test_before_any_outcome_the_prior_of_the_level_is_believed():
    empty = table({}, 0, 0.0, CONFIG)
    assert empty.rows == []
    assert [row(empty, level=level).mean for level in ("sensory", "tactical", "specialized", "other")] == [
        pytest.approx(0.4),
        pytest.approx(0.6),
        pytest.approx(0.8),
        pytest.approx(0.5),
    ]
    assert row(empty).evidence == 0.0


def test_success_raises_and_failure_lowers_trust_where_it_happened_most():
    good = table(told(*[outcome(1.0)] * 20), 20, 0.0, CONFIG)
    assert row(good).mean > 0.9
    assert 0.4 < row(good, "novel").mean < row(good).mean, "elsewhere it is worth less"
    assert row(table(told(*[outcome(0.0)] * 20), 20, 0.0, CONFIG)).mean < 0.1
    assert [r.context for r in good.rows] == ["moving", "novel", "stable", "unstable"]
    assert good.entries == 20


def test_interval_and_evidence_show_how_sure_the_belief_is():
    few = row(table(told(*[outcome(1.0), outcome(0.0)]), 2, 0.0, CONFIG))
    many = row(table(told(*[outcome(1.0), outcome(0.0)] * 50), 100, 0.0, CONFIG))
    assert many.high - many.low < few.high - few.low
    assert few.evidence == pytest.approx(2.0, abs=0.01)
    assert few.alpha / (few.alpha + few.beta) == pytest.approx(few.mean)


def test_trust_fades_toward_the_prior_and_is_forgotten_at_last():
    arms = told(*[outcome(1.0)] * 20)
    fresh, old = (row(table(arms, 20, at, CONFIG)) for at in (0.0, 60 * DAY))
    assert old.mean < fresh.mean
    assert old.high - old.low > fresh.high - fresh.low
    assert table(arms, 20, 400 * DAY, CONFIG).rows == []
    assert prune(arms, 400 * DAY, CONFIG) == {}
    assert prune(arms, 60 * DAY, CONFIG) == arms


def test_a_change_for_the_worse_shows_soon_after_a_long_good_record():
    arms = told(*[outcome(1.0)] * 1000, *[outcome(0.0)] * 200)
    assert row(table(arms, 1200, 0.0, CONFIG)).mean < 0.7, "all outcomes alike would still say 0.83"


def test_a_weak_judge_moves_trust_less_than_a_verifier():
    judged = row(table(told(outcome(1.0)), 1, 0.0, CONFIG)).mean
    guessed = row(table(told(outcome(1.0, source="confidence")), 1, 0.0, CONFIG)).mean
    assert 0.4 < guessed < judged


def test_a_new_version_starts_afresh():
    arms = told(*[outcome(1.0)] * 20, outcome(0.0, version="v2"))
    known = table(arms, 21, 0.0, CONFIG)
    assert belief(known, Arm("sensory", "v2", "stable"), CONFIG).mean < 0.4
    assert len(known.rows) == 8


def test_cost_is_the_mean_of_what_was_measured():
    arms = told(outcome(1.0, atp=2.0), outcome(1.0, atp=4.0), outcome(1.0))
    assert row(table(arms, 3, 0.0, CONFIG)).atp == pytest.approx(3.0, rel=0.01)


def test_learned_weights_begin_with_what_they_showed_in_validation_which_is_capped():
    seed_version = "adapter abc"
    told_of = {"version": seed_version, "adapter": "abc", "source": "validation", "context": "unknown"}
    arms = told(outcome(0.95, count=500, **told_of))
    known = table(arms, 1, 0.0, CONFIG)
    assert belief(known, Arm("sensory", seed_version, "stable"), CONFIG).mean > 0.6
    assert sum(row.evidence for row in known.rows) == CONFIG.weights.validation_at_most
    first = fold(arms, outcome(1.0, version="v9", adapter="abc"), 0.0, CONFIG)
    assert row(table(first, 2, 0.0, CONFIG)).mean == pytest.approx(0.4), "v1 knows nothing of it"
    answered = table(first, 2, 0.0, CONFIG)
    assert belief(answered, Arm("sensory", "v9", "moving"), CONFIG).mean > 0.6
    assert answering(known, "sensory", seed_version) == seed_version
    assert answering(answered, "sensory", seed_version) == "v9"


def test_forgetting_what_has_faded_away_changes_nothing_of_what_comes_after():
    arms = told(*[outcome(1.0)] * 20)
    late = 400 * DAY
    kept, pruned = (fold(known, outcome(0.0), late, CONFIG) for known in (arms, prune(arms, late, CONFIG)))
    assert table(kept, 21, late, CONFIG) == table(pruned, 21, late, CONFIG)


def test_a_question_is_expected_to_go_as_its_like_went_and_the_table_shows_their_mean():
    arms = told(*[outcome(1.0, cluster=1)] * 30, *[outcome(0.0, cluster=2)] * 30)
    known = table(arms, 60, 0.0, CONFIG)
    arm = Arm("sensory", "v1", "stable")
    good, bad = (expected(known, arm, Query(context="stable", cluster=at, session="s"), CONFIG) for at in (1, 2))
    assert good.mean > 0.75
    assert bad.mean < 0.25
    assert row(known).mean == pytest.approx(0.5, abs=0.1)
    assert row(known).high - row(known).low < good.high - bad.low
