"""Conversations through the running processes, from the launch of two systems to the proof of the ledger."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.conversations import measures, report, world
from experiments.conversations.measures import Cell
from experiments.conversations.script import Saying, scripts
from experiments.conversations.talking import Both, Systems, converse, night
from experiments.conversations.world import World
from experiments.demo.system import running
from experiments.reference.verifiers import CurriculumVerifier
from nodes.dialogue.patterns import pattern
from nodes.trust_ledger.ledger import LEDGER_FILE, Ledger
from protocol.messages.metabolism import Energy
from protocol.messages.trust import Outcome as Told
from protocol.messages.trust import Replayed, TableRequest, TrustTable
from runtime.bench.record import Goal, at_least, at_most
from runtime.bench.session import Outcome, Progress, Session
from runtime.client import Client
from runtime.identity import HostIdentity
from runtime.paths import private_directory
from runtime.sealing import Sealer

QUICK = 10
CALL_S, DELIVERED_S = 10.0, 60.0
LOOKS = 2
SAVED, LOST, HELD = 0.30, 0.01, 0.90


@dataclass
class Course:
    """What happened, conversation by conversation."""

    conversations: list[list[Both]]
    nights: list[Replayed]
    unheard: list[str]
    """What went wrong with feedback."""
    refused: float
    """Deliveries of the outbox that nobody took."""
    table: TrustTable
    spent: dict[str, float]
    """ATP by purpose, of the system under trial, loads and base load counted in."""

    @property
    def turns(self) -> list[Both]:
        return [both for each in self.conversations for both in each]


@dataclass
class Written:
    """What the ledger says afterwards."""

    outcomes: list[Told]
    findings: list[str]
    entries: int


def measure(session: Session, count: int | None, launch: str) -> Outcome:
    """Figures of `count` conversations with the system of a launch file."""
    told = world.load()
    count = count or (QUICK if session.quick else told.conversations)
    scripted = scripts(told, pattern.read(), session.seed, count)
    progress = session.progress(count + _nights(told, count) * told.nights_after)
    with tempfile.TemporaryDirectory(prefix="sage-conversations-") as place:
        states = [private_directory(Path(place) / name) for name in ("ours", "largest")]
        course = asyncio.run(_course(states, launch, scripted, told, session.seed, progress))
        written = _written(states[0])
    for both in course.turns:
        session.raw(ours=both.ours, largest=both.largest)
    cells = measures.cells(course.table.rows, written.outcomes, CurriculumVerifier.name)
    days = _days(course.conversations, told)
    figures = _figures(course, written, cells, days, told)
    _pictures(session, course, cells)
    return Outcome(
        figures=figures,
        goals=_goals(figures),
        text=report.text(figures, course.nights, cells, told, len(scripted)),
        packages=("torch", "transformers"),
        environment={"world": world.digest(), "launch": launch},
    )


def _nights(told: World, count: int) -> int:
    """Between days; none after the last."""
    return (count - 1) // told.nights_after


async def _course(
    states: Sequence[Path],
    launch: str,
    scripted: Sequence[Sequence[Saying]],
    told: World,
    seed: int,
    progress: Progress,
) -> Course:
    progress.advance(0, "two systems start")
    conversations: list[list[Both]] = []
    nights: list[Replayed] = []
    unheard: list[str] = []
    async with (
        running(launch, states[0]) as ours,
        running(launch, states[1]) as other,
        Client.connect(ours.run_dir, name="people", deadline=CALL_S) as mine,
        Client.connect(other.run_dir, name="people", deadline=CALL_S) as largest,
    ):
        systems = Systems(mine, largest, told.levels[-1])
        for number, script in enumerate(scripted):
            if number and not number % told.nights_after:
                nights.append(await night(mine))
                progress.advance(told.nights_after, "conversations")
            heard, failed = await converse(systems, script, told, number, seed)
            conversations.append(heard)
            unheard += failed
            progress.advance(1, "conversations")
        refused = await _delivered(mine)
        table: TrustTable = await mine.call("trust_ledger", TableRequest(), deadline=CALL_S)
        return Course(conversations, nights, unheard, refused, table, await _spent(mine))


async def _delivered(client: Client) -> float:
    """Wait until all that exchanges owe has reached whom it is for; how many deliveries were refused for good."""
    async with asyncio.timeout(DELIVERED_S), client.events("node/health") as beats:
        looks = 0
        async for beat in beats:
            if beat.header.source != "dialogue":
                continue
            outbox = beat.body.stats["outbox"]
            waiting = sum(count for name, count in outbox.items() if name.startswith("waiting."))
            looks = 0 if waiting else looks + 1
            if looks == LOOKS:  # the first may be older than the last exchange
                return float(outbox["refused"])
    raise AssertionError("heartbeats do not end")


async def _spent(client: Client) -> dict[str, float]:
    async with asyncio.timeout(CALL_S), client.events("metabolic/energy") as energies:
        energy: Energy = (await anext(energies)).body
        return energy.spent


def _written(state: Path) -> Written:
    """What the stopped system's ledger holds, and whether it proves itself."""
    with closing(Ledger(state / LEDGER_FILE, HostIdentity.load(state), Sealer.load(state, "trust"))) as ledger:
        told = [outcome for entry in ledger.entries() if (outcome := ledger.outcome(entry)) is not None]
        return Written(told, [finding.message for finding in ledger.verify()], ledger.count())


def _days(conversations: Sequence[Sequence[Both]], told: World) -> list[list[Both]]:
    """The turns between two nights."""
    starts = range(0, len(conversations), told.nights_after)
    return [[both for each in conversations[start : start + told.nights_after] for both in each] for start in starts]


def _figures(
    course: Course, written: Written, cells: Sequence[Cell], days: Sequence[Sequence[Both]], told: World
) -> dict[str, Any]:
    after = [both for day in days[1:] for both in day]
    enough = [cell for cell in cells if cell.outcomes >= measures.FEWEST]
    return {
        "conversations": len(course.conversations),
        **measures.summary(course.turns, told.levels, told.patience),
        "after_first_night": measures.summary(after, told.levels, told.patience) if after else None,
        "days": [
            {
                "parts": measures.parts(day, told.levels),
                "right": measures.right(day),
                "atp": measures.energy(day),
            }
            for day in days
        ],
        "overrides": measures.overrides(written.outcomes),
        "spent": {purpose: round(atp, 3) for purpose, atp in course.spent.items()},
        "trust": {
            "cells": len(cells),
            "with_enough": len(enough),
            "held": round(sum(cell.held for cell in enough) / len(enough), 4) if enough else None,
            "off_mean": round(sum(abs(cell.trust - cell.right) for cell in enough) / len(enough), 4)
            if enough
            else None,
        },
        "ledger": {"entries": written.entries, "problems": written.findings, "refused": course.refused},
        "feedback_failed": course.unheard,
    }


def _goals(figures: dict[str, Any]) -> list[Goal]:
    later = figures["after_first_night"] or {}
    contented = figures["satisfaction"]
    return [
        at_most("unanswered", "sayings without an answer", target=0, measured=figures["unanswered"]),
        at_least(
            "satisfaction",
            "share of turns people are content with, less that of always-largest",
            target=-LOST,
            measured=_difference(contented["ours"]["content"], contented["largest"]["content"]),
        ),
        at_least(
            "saved",
            "share of the ATP of always-largest saved on answers, after the first night",
            target=SAVED,
            measured=later["atp"]["saved"] if later else None,
        ),
        at_most(
            "lost",
            "share of right answers lost against always-largest",
            target=LOST,
            measured=figures["right"]["lost"],
        ),
        at_most(
            "lost_bound",
            "the same, one-sided 95% bound",
            target=LOST,
            measured=figures["right"]["lost_bound"],
        ),
        at_least(
            "trust",
            f"levels' versions by context, with {measures.FEWEST} outcomes, whose trust and measured accuracy meet in "
            "their 90% intervals, share",
            target=HELD,
            measured=figures["trust"]["held"],
        ),
        at_most(
            "ledger",
            "what is wrong with the ledger afterwards, and deliveries that nobody took",
            target=0,
            measured=len(figures["ledger"]["problems"]) + figures["ledger"]["refused"],
        ),
    ]


def _difference(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else round(one - other, 4)


def _pictures(session: Session, course: Course, cells: Sequence[Cell]) -> None:
    try:
        from experiments.conversations import picture

        session.file("latency.png", picture.latency(course.turns))
        session.file("energy.png", picture.energy(course.conversations))
        session.file("trust.png", picture.trust(cells))
    except ModuleNotFoundError:
        return  # the report says so
