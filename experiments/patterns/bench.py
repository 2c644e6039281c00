"""What patterns answer of the trap set and of the curriculum, and how long a match and a whole answer take."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from experiments.patterns.sentences import Sentence, by_hand, of_the_curriculum, varied
from nodes.dialogue import config
from nodes.dialogue.conversation import Conversation
from nodes.dialogue.deliveries import Finished, deliveries
from nodes.dialogue.exchange import Exchange
from nodes.dialogue.outbox import Outbox
from nodes.dialogue.patterns import LiveValues, Patterns, load
from nodes.dialogue.ports import Outlook
from nodes.dialogue.respond import Responder
from nodes.dialogue.store import Store
from nodes.dialogue.traces import Traces
from protocol.messages.dialogue import Ask, ReplyCompleted, ReplyPart, TraceReply
from protocol.messages.metabolism import Energy, Metabolic, MetabolicState
from runtime import sensors
from runtime.bench.record import Goal, at_least, at_most
from runtime.bench.session import Outcome, Session
from runtime.bench.statistics import percentile
from runtime.sealing import Sealer

MATCH_US, ANSWER_MS = 20.0, 1.0
FEWEST = 300
STATE = MetabolicState(state=Metabolic.WAKE, number=1, reason="", since_ns=0)
ENERGY = Energy(atp=80, capacity=100, income=0, spent={})


def measure(session: Session) -> Outcome:
    """Figures of the shipped patterns, `configs/patterns.yaml`."""
    known = load()
    hand = by_hand()
    sets = {
        "hand": hand,
        "varied": varied(hand),
        "curriculum": of_the_curriculum(session.seed, 5 if session.quick else 50),
    }
    rounds = 20 if session.quick else 200
    progress = session.progress(len(sets) + 2)
    figures: dict[str, Any] = {}
    for name, sentences in sets.items():
        figures[name] = _judged(session, known, sentences)
        progress.advance(1, name)
    figures["match_us"] = _match_times(known, hand, rounds)
    progress.advance(1, "whole answers")
    figures["answer_ms"] = asyncio.run(_answer_times(known, 20 * rounds))
    progress.advance(1, "done")
    return Outcome(figures=figures, goals=_goals(figures), text=_text(figures))


def _judged(session: Session, known: Patterns, sentences: Sequence[Sentence]) -> dict[str, int]:
    wrong = missed = other = 0
    for sentence in sentences:
        found = known.match(sentence.text)
        name = found.name if found else ""
        if name == sentence.pattern:
            continue
        wrong += not sentence.pattern
        missed += bool(sentence.pattern) and not name
        other += bool(sentence.pattern) and bool(name)
        session.raw(text=sentence.text, expected=sentence.pattern, answered_by=name, origin=sentence.origin)
    to_answer = sum(bool(sentence.pattern) for sentence in sentences)
    return {
        "sentences": len(sentences),
        "to_answer": to_answer,
        "not_to_answer": len(sentences) - to_answer,
        "false_positives": wrong,
        "missed": missed,
        "by_another_pattern": other,
    }


def _match_times(known: Patterns, sentences: Sequence[Sentence], rounds: int) -> dict[str, float]:
    """Microseconds of one match, over all sentences, each as often."""
    taken: list[float] = []
    for _ in range(rounds):
        for sentence in sentences:
            began = time.perf_counter_ns()
            known.match(sentence.text)
            taken.append((time.perf_counter_ns() - began) / 1e3)
    return _spread(taken)


async def _answer_times(known: Patterns, count: int) -> dict[str, dict[str, float]]:
    """Milliseconds from the question to the closed reply, and until it is written down, in dialogue's own path."""
    sentences = [sentence.text for sentence in by_hand() if sentence.pattern]
    closed: list[float] = []
    written: list[float] = []
    with tempfile.TemporaryDirectory(prefix="sage-bench-") as place:
        ports = _Ports(Path(place))
        responder = Responder(config.load(), known, config.load_trust(), [], ports)  # type: ignore[arg-type]
        for text in itertools.islice(itertools.cycle(sentences), count):
            began = time.perf_counter_ns()
            await responder.respond(ports.exchange(text))
            written.append((time.perf_counter_ns() - began) / 1e6)
            closed.append((ports.closed_ns - began) / 1e6)
        ports.store.close()
    return {"closed": _spread(closed), "written_down": _spread(written)}


class _Ports:
    """The part of `nodes.dialogue.ports.Ports` that a pattern's answer needs: a real store, and nobody else there."""

    def __init__(self, place: Path) -> None:
        self.store = Store.open(place / "dialogue.sqlite", Sealer.load(place, "dialogue"))
        self.closed_ns = 0
        self._outbox = Outbox(self.store)
        self._traces = Traces(self.store, 2000)
        self._number = itertools.count()

    def mono_ns(self) -> int:
        return time.monotonic_ns()

    def outlook(self) -> Outlook:
        return Outlook(metabolic=STATE, energy=ENERGY)

    def live_values(self) -> LiveValues:
        return LiveValues(time.time(), battery=sensors.battery, temperature=sensors.temperature)

    def say(self, body: Any, trace: bytes) -> None:
        if isinstance(body, ReplyCompleted):
            self.closed_ns = time.perf_counter_ns()

    async def keep(self, finished: Finished, conversation: Conversation | None, trace: TraceReply) -> None:
        await asyncio.to_thread(self._write, finished, trace)

    def exchange(self, text: str) -> Exchange:
        number = next(self._number)
        return Exchange(
            ask=Ask(text=text, session="bench"),
            ident=f"{number:032x}",
            trace=number.to_bytes(16, "big"),
            give=_nobody,
            mono_ns=time.monotonic_ns,
            deadline_ns=time.monotonic_ns() + 60 * 10**9,
        )

    def _write(self, finished: Finished, trace: TraceReply) -> None:
        with self.store.transaction():
            self._outbox.put(deliveries(finished))
            self._traces.put(trace, "bench", time.time_ns())


async def _nobody(part: ReplyPart) -> None:
    """Nobody listens."""


def _spread(taken: Sequence[float]) -> dict[str, float]:
    shares: dict[str, Callable[[], float]] = {
        "median": lambda: percentile(taken, 0.5),
        "p99": lambda: percentile(taken, 0.99),
        "worst": lambda: max(taken),
    }
    return {name: round(share(), 3) for name, share in shares.items()} | {"times": len(taken)}


def _goals(figures: dict[str, Any]) -> list[Goal]:
    hand, sets = figures["hand"], [figures[name] for name in ("hand", "varied", "curriculum")]
    return [
        at_least("sentences", "sentences written by hand", target=FEWEST, measured=hand["sentences"]),
        at_least(
            "near_misses",
            "share of them that no pattern may answer",
            target=0.5,
            measured=round(hand["not_to_answer"] / hand["sentences"], 3),
        ),
        at_most(
            "false_positives",
            "sentences answered that must not be: by hand, varied, and of the curriculum",
            target=0,
            measured=sum(one["false_positives"] + one["by_another_pattern"] for one in sets),
        ),
        at_most(
            "missed",
            "sentences not answered that should be",
            target=0,
            measured=sum(one["missed"] for one in sets),
        ),
        at_most("match", "one match, median, µs", target=MATCH_US, measured=figures["match_us"]["median"]),
        at_most("match_p99", "one match, 99th percentile, µs", target=MATCH_US, measured=figures["match_us"]["p99"]),
        at_most(
            "answer",
            "from the question to the whole answer given out, 99th percentile, ms",
            target=ANSWER_MS,
            measured=figures["answer_ms"]["closed"]["p99"],
        ),
    ]


def _text(figures: dict[str, Any]) -> str:
    rows = [
        f"| {name} | {one['to_answer']} | {one['missed']} | {one['not_to_answer']} | "
        f"{one['false_positives'] + one['by_another_pattern']} |"
        for name, one in ((name, figures[name]) for name in ("hand", "varied", "curriculum"))
    ]
    head = "| sentences | to be answered | missed | not to be answered | answered all the same |\n|---|---|---|---|---|"
    closing = "The answer is given out before it is written down; `written_down` adds the disk's own confirmation."
    return "\n".join([head, *rows, "", closing])
