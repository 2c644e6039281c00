"""The world of the experiment, typed, and the days that are lived in it. Pure: everything follows from a seed."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Annotated, Literal

import msgspec

from experiments.trust.answers import Asked
from nodes.context_classifier.classifier import Classifier
from nodes.context_classifier.config import ContextConfig
from nodes.trust_ledger.features import Query
from protocol.messages.context import Classify
from runtime import config, paths

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=1)]


class Pool(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    each: Count
    seed: int


class Device(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Per token, level by level, in any unit that all share."""

    prefill: tuple[float, ...]
    decode: tuple[float, ...]


class Feedback(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    judged: Share
    wrong: Share
    source: str


class Replay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    first: int
    later: int


class Breaks(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename={"since": "from"}):
    level: int
    wrong: Share
    since: int
    until: int


class World(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pool: Pool
    days: Annotated[int, msgspec.Meta(ge=2)]
    queries: Count
    visit: Annotated[float, msgspec.Meta(ge=1)]
    mixes: tuple[Literal["even", "tilted"], ...]
    spread: float
    costs: str
    devices: dict[str, Device]
    atp_per_ms: float
    feedback: dict[str, Feedback]
    replay: Replay
    breaks: Breaks


@dataclass(frozen=True)
class Met:
    """A question when it is asked, as whoever chooses sees it."""

    asked: Asked
    query: Query


def load() -> World:
    return config.load(paths.shipped("experiments/trust/world.yaml"), World)


def digest(world: World) -> str:
    """SHA-256 of all that is fixed, in hex."""
    return hashlib.sha256(msgspec.json.encode(world)).hexdigest()


def course(world: World, pool: Sequence[Asked], seed: int) -> list[Met]:
    """`days` × `queries` questions in the order they are asked, with what the sense of context makes of each."""
    random = Random(f"trust/{seed}")
    weights = _interests(world, pool, world.mixes[seed % len(world.mixes)], random)
    drawn = _drawn(pool, weights, random)
    senses = Classifier(config.load(paths.shipped("configs/context.yaml"), ContextConfig))
    found = []
    for number, session in enumerate(_sessions(world, random)):
        asked = next(drawn)
        seen = senses.classify(Classify(text=asked.text, session=session))
        query = Query(
            context=str(seen.context),
            cluster=seen.cluster,
            words=len(asked.text.split()),
            depth=asked.turns,
            session=session,
        )
        found.append(Met(asked, query))
        if number + 1 == world.days * world.queries:
            return found
    return found


def cost(world: World, asked: Asked, level: int, device: str = "") -> float:
    """ATP of a level's answer."""
    told, said = world.devices[device or world.costs], asked.said[level]
    whole = said.tokens_in * told.prefill[level] + said.signs.tokens * told.decode[level]
    return whole * world.atp_per_ms


def _interests(world: World, pool: Sequence[Asked], mix: str, random: Random) -> Mapping[str, float]:
    """Row → share of the questions. Interest goes by skill, and is shared out evenly among its difficulties."""
    rows = sorted({one.row for one in pool})
    skills = sorted({row.partition("/")[0] for row in rows})
    if mix == "even":
        return dict.fromkeys(rows, 1 / len(rows))
    liked = {skill: math.exp(random.gauss(0, world.spread)) for skill in skills}
    total = sum(liked.values())
    of = {skill: [row for row in rows if row.partition("/")[0] == skill] for skill in skills}
    return {row: liked[skill] / total / len(of[skill]) for skill in skills for row in of[skill]}


def _drawn(pool: Sequence[Asked], weights: Mapping[str, float], random: Random) -> Iterator[Asked]:
    """Questions by interest. Those of a row come in random order, all of them before any comes again."""
    by_row: dict[str, list[Asked]] = {row: [] for row in weights}
    for one in pool:
        by_row[one.row].append(one)
    waiting: dict[str, list[Asked]] = {}
    rows, shares = list(weights), list(weights.values())
    while True:
        row = random.choices(rows, shares)[0]
        if not waiting.get(row):
            waiting[row] = random.sample(by_row[row], len(by_row[row]))
        yield waiting[row].pop()


def _sessions(world: World, random: Random) -> Iterator[str]:
    number = 0
    while True:
        yield f"visit-{number}"
        number += random.random() < 1 / world.visit
