"""A course lived by one who chooses: what it answered, spent and learned. Pure, but for the randomness it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

import msgspec

from experiments.trust.answers import Said
from experiments.trust.rivals import LEVELS, Rival
from experiments.trust.world import Breaks, Feedback, Met, World, cost
from nodes.dialogue.choice import ChoiceSettings
from nodes.dialogue.replaying import JUDGE, Sample, Tried, agreement
from nodes.model_worker.confidence import confidence_of

VERIFIER = "verifier"
AS_RELEASED = {level: level for level in LEVELS}


@dataclass(frozen=True)
class Answered:
    """One question of a course."""

    path: tuple[int, ...]
    right: bool
    atp: float
    price: float
    """What the one who chose took for the price then; the shipped one where it knows none."""


@dataclass
class Life:
    answered: list[Answered] = field(default_factory=list)
    replayed_atp: list[float] = field(default_factory=list)
    """Night by night."""
    replayed: list[int] = field(default_factory=list)
    """Questions, night by night."""
    looks: list[dict[str, float]] = field(default_factory=list)
    """What was believed, now and then: for the pictures."""


Look = Callable[[int], dict[str, float]]


def live(
    world: World,
    met: Sequence[Met],
    rival: Rival,
    feedback: Feedback,
    seed: int,
    *,
    device: str = "",
    breaks: Breaks | None = None,
    look: Look | None = None,
    look_every: int = 25,
) -> Life:
    """Every question in turn; each night a sample of the day goes through all levels.

    What anybody says of an answer is drawn from the seed and the number of the question: the same for every rival.
    """
    life = Life()
    for number, given in enumerate(met):
        one = broken(given, breaks, seed) if breaks and breaks.since <= number < breaks.until else given
        path = rival.path(one, number)
        price = getattr(rival, "price_now", _shipped)()
        right = one.asked.said[path[-1]].right
        atp = sum(cost(world, one.asked, level, device) for level in path)
        life.answered.append(Answered(tuple(path), right, atp, price))
        rival.told(one, path, scored(one, path, feedback, f"{seed}/{number}"), number)
        if look is not None and number % look_every == 0:
            life.looks.append({"number": number, **look(number)})
        if (number + 1) % world.queries == 0:
            day = (number + 1) // world.queries
            today = met[number + 1 - world.queries : number + 1]
            there = (
                [broken(one, breaks, seed) for one in today]
                if breaks and breaks.since <= number < breaks.until
                else today
            )
            samples = _night(world, there, feedback, Random(f"night/{seed}/{day}"), day, device)
            life.replayed.append(len(samples))
            life.replayed_atp.append(sum(tried.atp for sample in samples for tried in sample.tried))
            rival.night(samples)
    return life


def _shipped() -> float:
    return ChoiceSettings().price


def broken(met: Met, breaks: Breaks, seed: int) -> Met:
    """The question as a level with broken weights answers it: what it would have got right mostly comes out wrong.

    It does not know: its signs of doubt stay as they were.
    """
    said = met.asked.said[breaks.level]
    if not said.right or Random(f"broken/{seed}/{met.asked.text}").random() >= breaks.wrong:
        return met
    wrong = msgspec.structs.replace(said, right=False, text=f"{said.text} not")
    every = (*met.asked.said[: breaks.level], wrong, *met.asked.said[breaks.level + 1 :])
    return Met(msgspec.structs.replace(met.asked, said=every), met.query)


def scored(met: Met, path: Sequence[int], feedback: Feedback, drawn: str) -> list[tuple[float, str] | None]:
    """A verifier judges every attempt; a person only the answer that was given."""
    random = Random(f"feedback/{drawn}")
    judged, wrong = random.random() < feedback.judged, random.random() < feedback.wrong
    scores: list[tuple[float, str] | None] = []
    for place, level in enumerate(path):
        heard = judged and (feedback.source == VERIFIER or place == len(path) - 1)
        scores.append((float(met.asked.said[level].right != wrong), feedback.source) if heard else None)
    return scores


def _night(
    world: World, today: Sequence[Met], feedback: Feedback, random: Random, day: int, device: str
) -> list[Sample]:
    count = world.replay.first if day == 1 else world.replay.later
    chosen = random.sample(list(today), min(count, len(today)))
    verified = feedback.source == VERIFIER
    return [replayed(world, met, verified=verified, device=device) for met in chosen]


def replayed(
    world: World, met: Met, *, verified: bool, device: str = "", versions: Mapping[str, str] = AS_RELEASED
) -> Sample:
    """The question through all levels. `versions`: level → what it answers with."""
    said = met.asked.said
    scores = [float(one.right) for one in said] if verified else _agreement(said)
    tried = tuple(
        _tried(LEVELS[level], versions[LEVELS[level]], said[level], score, cost(world, met.asked, level, device))
        for level, score in enumerate(scores)
    )
    return Sample(exchange="", query=met.query, tried=tried, source=VERIFIER if verified else JUDGE)


def _agreement(said: Sequence[Said]) -> list[float]:
    return agreement([one.text for one in said], [confidence_of(one.signs.mean, one.signs.least) for one in said])


def _tried(level: str, version: str, said: Said, score: float, atp: float) -> Tried:
    return Tried(level=level, model="", version=version, score=score, signs=said.signs, atp=atp)
