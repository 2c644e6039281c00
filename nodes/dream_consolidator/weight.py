"""What training a true shape weighs, and how long a step takes: `sage bench training`. Imports no torch itself."""

from __future__ import annotations

import itertools
import subprocess
import sys
from typing import Any, Literal

import msgspec

from nodes.dream_consolidator.settings import Train
from nodes.model_worker import levels
from nodes.model_worker.levels import Shape
from protocol.errors import SageError
from runtime.bench.session import Outcome, Session
from runtime.units import format_size

PROMPT = 97
"""Tokens of each lesson's question; with the answer, whose last token is only expected, 128 are computed."""
LESSON = 128
ROOM = 16 * 10**9
"""Bytes of the machine that a batch is to fit."""

Method = Literal["full", "lora"]


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How a batch is trained."""

    shape: Shape
    method: Method
    recompute: bool
    lessons: int
    steps: int
    device: str
    threads: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.method}, activations {'computed again' if self.recompute else 'kept'}"


class Weight(msgspec.Struct, frozen=True, kw_only=True):
    """What it came to. No peak: it does not fit."""

    peak: int | None = None
    """Bytes: resident of the whole process, on a GPU those that torch had taken of it."""
    seconds: float = 0.0
    """The fastest step."""
    parameters: int = 0
    trained: int = 0


def settings_of(way: Way, shipped: Train) -> Train:
    """The settings that ship, with one batch in one part."""
    tokens = way.lessons * LESSON
    size: dict[str, Any] = {"batch": way.lessons, "at_once": tokens, "epochs": way.steps + 1, "steps": 0}
    return msgspec.structs.replace(shipped, method=way.method, recompute=way.recompute, **size)


def measure(session: Session, *, shape: str, device: str, threads: int) -> Outcome:
    chosen = levels.load("configs/levels.qwen.yaml").by_name(shape)
    assert chosen.shape is not None, "the levels of configs/levels.qwen.yaml have shapes"
    few = 1 if device == "cpu" else 8  # what a GPU takes for less is hidden by what it takes for anything
    sizes = (few, 2 * few) if session.quick else (few, 4 * few)
    methods: tuple[Method, ...] = ("lora",) if session.quick else ("lora", "full")
    ways = list(itertools.product(methods, (True, False)))
    progress = session.progress(len(ways) * len(sizes))
    figures: dict[str, Any] = {"lesson_tokens": LESSON, "room": ROOM, "threads": threads, "ways": {}}
    for method, recompute in ways:
        points = []
        for lessons in sizes:
            way = Way(
                shape=chosen.shape,
                method=method,
                recompute=recompute,
                lessons=lessons,
                steps=1 if session.quick else 2,
                device=device,
                threads=threads,
                seed=session.seed,
            )
            weight = _weighed(way)
            session.raw(way=way.name, lessons=lessons, **msgspec.structs.asdict(weight))
            points.append((lessons * LESSON, weight))
            progress.advance(1, way.name)
        figures["ways"][way.name] = _figures(points)
    return Outcome(figures=figures, goals=[], packages=("torch", "transformers", "peft"), text=_text(shape, figures))


def _weighed(way: Way) -> Weight:
    run = subprocess.run(
        [sys.executable, "-m", "nodes.dream_consolidator.distiller.weighing"],
        input=msgspec.json.encode(way),
        capture_output=True,
        check=False,
    )
    if run.returncode:
        raise SageError(f"{way.name}: the process failed with {run.returncode}: {run.stderr.decode()[-500:]}")
    return msgspec.json.decode(run.stdout.splitlines()[-1], type=Weight)


def _figures(points: list[tuple[int, Weight]]) -> dict[str, Any]:
    """Peaks, the line through them, and how many tokens at once it lets into the room."""
    (fewer, small), (more, large) = points
    found: dict[str, Any] = {
        "peak_bytes": {str(tokens): weight.peak for tokens, weight in points},
        "seconds": {str(tokens): round(weight.seconds, 2) for tokens, weight in points},
        "trained": small.trained,
    }
    if small.peak is not None and large.peak is not None:
        slope = (large.peak - small.peak) / (more - fewer)
        base = small.peak - slope * fewer
        if slope > 0:  # else something else than the batch was the peak
            found |= {"bytes_per_token": round(slope), "bytes_without": round(base)}
            found["tokens_that_fit"] = max(0, int((ROOM - base) / slope))
    return found


def _text(shape: str, figures: dict[str, Any]) -> str:
    said = (
        f"The shape of `{shape}` in configs/levels.qwen.yaml with random weights; lessons of {LESSON} tokens, of which "
        f"32 are the answer's. The largest `train.at_once` that fits {ROOM // 10**9} GB is read off the line through "
        "two measured peaks; a batch of more tokens goes in parts and learns the same."
    )
    header = "| way | tokens at once | peak | seconds a step | tokens that fit |"
    lines = [said, "", header, "|---|---|---|---|---|"]
    for name, way in figures["ways"].items():
        for tokens, peak in way["peak_bytes"].items():
            shown = "does not fit here" if peak is None else format_size(peak)
            lines.append(
                f"| {name} | {tokens} | {shown} | {way['seconds'][tokens]} | {way.get('tokens_that_fit', '')} |"
            )
    return "\n".join(lines)
