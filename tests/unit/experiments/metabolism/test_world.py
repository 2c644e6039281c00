import msgspec
import pytest

from experiments.metabolism import world as worlds
from experiments.metabolism.variations import AS_IT_IS
from experiments.metabolism.variations import worlds as variations
from nodes.metabolic_controller.config import MetabolismConfig
from protocol.errors import ConfigError
from runtime import config, paths

WORLD = worlds.load()


def test_the_world_changes_only_together_with_its_digest_here():
    assert worlds.digest(WORLD) == "02a1efeb5fb75782f528b0da2189d1a668ce8a3833329daa1b7b5c2e3f408e50"


def test_it_books_the_base_metabolism_of_the_shipped_configuration():
    shipped = config.load(paths.shipped("configs/metabolism.yaml"), MetabolismConfig)
    assert WORLD.base == {state: rate.base for state, rate in shipped.energy.rates.items()}


def test_a_seed_always_draws_the_same_course_and_another_seed_another():
    assert worlds.stream(WORLD, "day", 3) == worlds.stream(WORLD, "day", 3)
    assert worlds.stream(WORLD, "day", 3) != worlds.stream(WORLD, "day", 4)


def test_what_is_drawn_for_one_purpose_moves_nothing_of_another():
    quiet = dict(variations())["no noises"](WORLD)
    assert worlds.stream(quiet, "day", 1).questions == worlds.stream(WORLD, "day", 1).questions
    assert worlds.stream(quiet, "day", 1).noises == ()


def test_people_ask_as_often_as_the_profile_says_by_day_and_hardly_by_night():
    calm = dict(variations())["no incident"](WORLD)
    drawn = [worlds.stream(calm, "day", seed) for seed in range(40)]
    asked = sum(len(one.questions) for one in drawn) / len(drawn)
    expected = WORLD.people.count * sum(WORLD.people.workday) * WORLD.people.questions
    assert asked == pytest.approx(expected, rel=0.15)
    night = [one for each in drawn for one in each.questions if not 6 <= WORLD.hour(one.at_s) < 24]
    assert len(night) < 0.05 * asked * len(drawn)


def test_the_week_begins_on_a_workday_and_ends_with_a_weekend():
    assert WORLD.seconds("week") == 7 * worlds.DAY_S
    noon = (12 - WORLD.begins) * worlds.HOUR_S
    rates = [WORLD.conversations("week", noon + day * worlds.DAY_S) for day in range(7)]
    assert rates == [WORLD.people.rate("workday", 12)] * 5 + [WORLD.people.rate("weekend", 12)] * 2


@pytest.mark.parametrize("course", ["day", "week"])
def test_a_course_is_in_order_and_within_its_time(course):
    drawn = worlds.stream(WORLD, course, 0)
    times = [one.at_s for one in drawn.questions]
    assert times == sorted(times)
    assert 0 <= times[0] <= times[-1] < drawn.seconds == WORLD.seconds(course)
    assert len({one.ident for one in drawn.questions}) == len(times)


def test_every_variation_changes_the_world_and_leaves_it_whole():
    for name, change in variations():
        other = change(WORLD)
        assert (worlds.digest(other) == worlds.digest(WORLD)) == (name == AS_IT_IS), name
        assert msgspec.convert(msgspec.to_builtins(other), worlds.World) == other, name


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("device: board", "device: abacus", "'abacus' is not one of board, cores"),
        ("needs: {pattern: 0.2,", "needs: {proverb: 0.2,", "people.needs must name"),
        ("base: {WAKE: 1.0, ", "base: {", "base must name every state"),
        ("day: [workday]", "day: [doomsday]", "doomsday"),
    ],
)
def test_a_world_that_makes_no_sense_is_refused_by_name(tmp_path, was, becomes, said):
    text = worlds.WORLD.read_text()
    assert was in text
    (tmp_path / "world.yaml").write_text(text.replace(was, becomes))
    with pytest.raises(ConfigError, match=said):
        worlds.load(tmp_path / "world.yaml")
