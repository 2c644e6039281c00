"""The experiment of trust: fixed beforehand, the same for everybody, and measured as it says."""

from random import Random

import msgspec
import pytest

from experiments.trust.lives import broken, live
from experiments.trust.measures import PRICES, breakage, frontier, measured, strictly_best
from experiments.trust.ours import Ours
from experiments.trust.rivals import LARGEST, LEVELS, Always, Chance, Forerunner, Threshold, shares_at
from experiments.trust.world import Breaks, World, cost, course, digest, load
from nodes.dialogue.config import load as dialogue
from nodes.dialogue.config import load_trust
from nodes.trust_ledger.table import Version
from tests.unit.experiments.trust.made import pool

SHIPPED = "03da6291512699fa1c2be15ef0336d7257e4efcb9ad8b69fd856adebfc757f27"
TRUST = load_trust()
WIDE = msgspec.structs.replace(dialogue().choice.tuning, margin=0.04)
"""So few questions prove no narrower one."""
CONFIG = msgspec.structs.replace(dialogue(), choice=msgspec.structs.replace(dialogue().choice, tuning=WIDE))


@pytest.fixture(scope="module")
def world() -> World:
    small = msgspec.structs.replace(load().replay, first=300, later=50)
    return msgspec.structs.replace(load(), days=3, queries=300, mixes=("even",), replay=small)


@pytest.fixture(scope="module")
def met(world: World):
    return course(world, pool(120), 0)


def test_the_world_is_the_one_that_the_reports_name() -> None:
    assert digest(load()) == SHIPPED


def test_a_course_follows_from_its_seed(world: World, met) -> None:
    assert course(world, pool(120), 0) == met
    assert course(world, pool(120), 1) != met
    assert len(met) == world.days * world.queries


def test_larger_levels_cost_more_and_longer_answers_too(world: World, met) -> None:
    one = met[0].asked
    assert cost(world, one, 0) < cost(world, one, 1) < cost(world, one, 2)
    longer = msgspec.structs.replace(one.said[0].signs, tokens=60)
    said = (msgspec.structs.replace(one.said[0], signs=longer), *one.said[1:])
    assert cost(world, msgspec.structs.replace(one, said=said), 0) > cost(world, one, 0)


def test_ours_saves_without_loss_where_levels_differ_by_kind_and_rivals_do_not(world: World, met) -> None:
    verified = world.feedback["verifier"]
    base = live(world, met, Always(LARGEST), verified, 0)
    ours = live(world, met, Ours(world, CONFIG, TRUST, Random(0)), verified, 0)
    found = measured(world, met, ours, base)
    assert found.saved > 0.3
    assert found.bound < 0.04
    small = measured(world, met, live(world, met, Always(0), verified, 0), base)
    assert small.loss > 0.4
    assert measured(world, met, base, base).saved == 0
    assert found.saved_all < found.saved, "replay and the first day are not free"


def test_nobody_beats_the_frontier_with_single_levels(world: World, met) -> None:
    curve = frontier(world, met)
    assert len(curve) == len(PRICES)
    verified = world.feedback["verifier"]
    base = live(world, met, Always(LARGEST), verified, 0)
    for rival in (Always(0), Always(1), Forerunner(), Threshold(0, 0.01, 0.95)):
        found = measured(world, met, live(world, met, rival, verified, 0), base)
        assert not any(saved <= found.saved and right < found.right for saved, right in curve[-1:])
        assert all(right >= found.right or saved > found.saved for saved, right in curve)


def test_the_forerunner_follows_its_rule() -> None:
    rival = Forerunner()
    rival.told(None, [0], [(1.0, "verifier")], 0)
    assert rival.scores[0] == pytest.approx(0.55)
    rival.told(None, [0], [(0.0, "verifier")], 1)
    assert rival.scores[0] == pytest.approx(0.495)
    assert rival.path(None, 2) == [1]


def test_chance_is_as_good_as_it_can_be_at_its_cost() -> None:
    assert shares_at(3.0, [1.0, 2.0, 4.0], [0.5, 0.9, 0.95]) == pytest.approx([0, 0.5, 0.5])
    rival = Chance([0.0, 0.25, 0.75], Random(0))
    taken = [rival.path(None, number)[0] for number in range(400)]
    assert taken.count(1) / 400 == pytest.approx(0.25, abs=0.07)


def test_the_strictly_best_is_the_cheapest_that_is_right(world: World, met) -> None:
    for one in met[:50]:
        (level,) = strictly_best(world, one)
        rights = [said.right for said in one.asked.said]
        assert level == (rights.index(True) if any(rights) else 0)


def test_a_level_that_breaks_is_noticed_and_comes_back(world: World, met) -> None:
    breaks = Breaks(level=1, wrong=0.9, since=450, until=700)
    ours = Ours(world, CONFIG, TRUST, Random(0))
    version = Version(LEVELS[1], LEVELS[1])

    def look(_number: int) -> dict[str, float]:
        standing = ours.arms.get(version)
        return {"alarm": float(standing is not None and standing.drift.alarmed)}

    verified = world.feedback["verifier"]
    life = live(world, met, ours, verified, 0, breaks=breaks, look=look, look_every=1)
    found = breakage(world, life, live(world, met, Always(LARGEST), verified, 0), breaks)
    assert found.outcomes is not None
    assert found.outcomes <= 50
    assert found.during is not None
    assert found.during < found.before / 2


def test_what_breaks_is_only_what_was_right(met) -> None:
    breaks = Breaks(level=1, wrong=1.0, since=0, until=10)
    for one in met[:30]:
        after = broken(one, breaks, 0)
        assert not after.asked.said[1].right
        assert after.asked.said[0] == one.asked.said[0]
        assert after.asked.said[1].signs == one.asked.said[1].signs


def test_people_judge_the_given_answer_only_and_are_wrong_as_often_as_is_said(world: World, met) -> None:
    many = msgspec.structs.replace(world.feedback["many"], judged=1.0)
    heard: list[tuple[bool, bool]] = []

    class Listens(Always):
        def told(self, met, path, scored, number) -> None:
            ((score, source),) = scored
            assert source == "user"
            heard.append((bool(score), met.asked.said[path[-1]].right))

    live(world, met, Listens(LARGEST), many, 0)
    wrong = sum(said != was for said, was in heard) / len(heard)
    assert wrong == pytest.approx(many.wrong, abs=0.05)
