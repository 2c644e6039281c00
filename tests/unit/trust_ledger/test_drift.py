"""A level that breaks is noticed soon, one that does not is left in peace, one that recovers is believed again."""

from random import Random

import pytest

from nodes.trust_ledger.config import TrustConfig
from nodes.trust_ledger.drift import log_ratio
from nodes.trust_ledger.logistic import Guess
from nodes.trust_ledger.table import Arm, Arms, Version, expected, fold, prune, table
from protocol.messages.trust import Outcome
from runtime import config as files
from runtime import paths

CONFIG = files.load(paths.shipped("configs/trust.yaml"), TrustConfig)
TACTICAL = Version("tactical", "v1")


def told(arms: Arms, random: Random, right: float, count: int, source: str = "verifier") -> tuple[Arms, int | None]:
    """`arms` after `count` outcomes of which `right` are right, and after how many there was an alarm."""
    noticed = None
    for number in range(count):
        outcome = Outcome(
            exchange="x",
            session="s",
            level="tactical",
            model="m",
            version="v1",
            context="stable",
            score=float(random.random() < right),
            source=source,
            cluster=random.randrange(20),
            words=6,
        )
        arms = fold(arms, outcome, 0.0, CONFIG)
        if noticed is None and arms[TACTICAL].drift.alarmed:
            noticed = number + 1
    return arms, noticed


@pytest.mark.parametrize("seed", range(5))
def test_a_level_that_breaks_is_noticed_within_fifty_of_its_outcomes(seed: int) -> None:
    random = Random(seed)
    arms, early = told({}, random, 0.95, 500)
    arms, noticed = told(arms, random, 0.1, 50)
    assert early is None
    assert noticed is not None
    known = table(arms, 1, 0.0, CONFIG)
    assert "worse than it did" in expected(known, Arm("tactical", "v1", "stable"), None, CONFIG).alarm
    assert all("worse" in row.alarm for row in known.rows)


@pytest.mark.parametrize("right", [0.3, 0.9, 0.99])
def test_a_level_that_stays_as_it_is_raises_no_alarm(right: float) -> None:
    assert told({}, Random(1), right, 2000)[1] is None


def test_a_level_that_recovers_is_believed_as_before() -> None:
    random = Random(3)
    arms, _ = told({}, random, 0.95, 500)
    before = table(arms, 1, 0.0, CONFIG).rows[0].mean
    arms, _ = told(arms, random, 0.1, 60)
    assert table(arms, 1, 0.0, CONFIG).rows[0].mean < before - 0.3
    arms, _ = told(arms, random, 0.95, 40)
    assert not arms[TACTICAL].drift.alarmed
    assert table(arms, 1, 0.0, CONFIG).rows[0].mean > before - 0.1


def test_one_that_stays_broken_stays_in_alarm() -> None:
    random = Random(4)
    arms, _ = told({}, random, 0.95, 500)
    arms, _ = told(arms, random, 0.1, 400)
    assert arms[TACTICAL].drift.alarmed
    assert arms[TACTICAL].drift.alarms == 1


def test_what_is_set_aside_fades_and_is_forgotten_as_all_else() -> None:
    random = Random(5)
    arms, _ = told({}, random, 0.95, 200)
    arms, _ = told(arms, random, 0.0, 60)
    assert prune(arms, 400 * 86400.0, CONFIG) == {}


def test_a_validation_is_no_drift() -> None:
    arms, _ = told({}, Random(6), 0.95, 300)
    assert told(arms, Random(6), 0.0, 50, source="validation")[1] is None


def test_an_outcome_speaks_for_a_fall_where_it_was_not_expected() -> None:
    sure = Guess(3.0, 0.2)
    assert log_ratio(sure, 0.0, 2.0) > 1
    assert -0.5 < log_ratio(sure, 1.0, 2.0) < 0
    assert abs(log_ratio(Guess(-4.0, 0.2), 0.0, 2.0)) < 0.05
