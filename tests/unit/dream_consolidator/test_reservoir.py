from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from nodes.dream_consolidator.collector.reservoir import Place, Reservoir


class Sampled:
    """A reservoir with what it holds."""

    def __init__(self, capacity: int) -> None:
        self.reservoir = Reservoir(capacity)
        self.held: dict[int, Place] = {}

    def offer(self, place: Place) -> None:
        if place.ident in self.held or not self.reservoir.admits(place.stratum, place.lot):
            return
        self.held[place.ident] = place
        for gone in self.reservoir.add(place):
            del self.held[gone.ident]


strata = st.lists(st.sampled_from("abcd"), min_size=1, max_size=120)


@given(strata, st.integers(1, 30), st.integers(0, 2**32))
def test_a_stratum_holds_its_highest_lots_of_all_that_ever_came(kinds: list[str], capacity: int, seed: int) -> None:
    random = Random(seed)
    places = [Place(stratum, random.random(), ident) for ident, stratum in enumerate(kinds)]
    sampled = Sampled(capacity)
    for place in places:
        sampled.offer(place)
    assert sampled.reservoir.held == len(sampled.held) <= capacity
    for stratum in set(kinds):
        lots = sorted((place.lot for place in places if place.stratum == stratum), reverse=True)
        held = sorted((place.lot for place in sampled.held.values() if place.stratum == stratum), reverse=True)
        assert held == lots[: len(held)]


@given(strata, st.integers(1, 30), st.integers(0, 2**32))
def test_the_fullest_stratum_gives_up_and_a_rare_one_stays_whole(kinds: list[str], capacity: int, seed: int) -> None:
    random = Random(seed)
    sampled = Sampled(capacity)
    for ident, stratum in enumerate(kinds):
        sampled.offer(Place(stratum, random.random(), ident))
    came, held = Counter(kinds), Counter(place.stratum for place in sampled.held.values())
    share = capacity // len(came)
    assert all(held[stratum] == count for stratum, count in came.items() if count <= share)


def test_all_that_is_different_stays_with_the_same_chance_however_often_it_came_and_when() -> None:
    things, capacity, rounds = 40, 10, 2000
    kept: Counter[int] = Counter()
    for seed in range(rounds):
        random = Random(seed)
        lots = [random.random() for _ in range(things)]
        sampled = Sampled(capacity)
        # The first ten come eight times as often as the others, the last ten only at the end; b comes in between.
        came = [*range(30), *(list(range(10)) * 7)]
        random.shuffle(came)
        for order, ident in enumerate([*came, *range(30, 40)]):
            sampled.offer(Place("a", lots[ident], ident))
            if order % 9 == 0:
                sampled.offer(Place("b", random.random(), 1000 + order))
        kept.update(ident for ident in sampled.held if ident < things)
    expected = sum(kept.values()) / things
    chi_square = sum((kept[ident] - expected) ** 2 / expected for ident in range(things))
    assert chi_square < 72.1, "the 99.9% point for 39 degrees of freedom; drawn without replacement it is lower"


def test_what_was_opened_again_goes_on_as_it_was() -> None:
    random = Random(1)
    places = [Place(random.choice("ab"), random.random(), ident) for ident in range(60)]
    whole, halves = Sampled(9), Sampled(9)
    for place in places:
        whole.offer(place)
    floors: dict[str, float] = {}
    for number, place in enumerate(places):
        if number == 30:
            halves.reservoir = Reservoir(9, halves.held.values(), floors)
        if halves.reservoir.admits(place.stratum, place.lot):
            halves.held[place.ident] = place
            for gone in halves.reservoir.add(place):
                floors[gone.stratum] = gone.lot
                del halves.held[gone.ident]
    assert halves.held == whole.held
