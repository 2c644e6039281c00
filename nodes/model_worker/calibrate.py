"""What a level costs on this machine: a start, a load, every answer, 1,000 tokens read and 1,000 tokens said.

The model is loaded and asked in this process, with prompts of random tokens, so that nothing is reused. Costs are
differences between requests that differ in one thing: a long prompt against a short one, many tokens said against one.
What is left of the shortest request is what every answer costs, and of a process that loads the model and ends, beside
a load, what starting a worker's process costs. Each figure is the median over repetitions; one that
came out below nothing, as noise can make it, is 0. A load is one of files that were read before.
"""

import resource
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

import msgspec

from nodes.model_worker.effort import Effort, Gauge
from nodes.model_worker.engine import Engine
from nodes.model_worker.errors import ModelUnfit
from nodes.model_worker.levels import Level
from nodes.model_worker.loading import LoadedModel
from protocol.messages.model import Generate
from runtime.clock import Clock
from runtime.power import MeterError
from runtime.power.costs import Cost, LevelCosts

SAMPLE = (
    "Sara put the cup into the kitchen. Then she went to the hall, and Tom asked her where the cup was. "
    "What is seventeen plus twenty-five? It is forty-two, because seven and five are twelve. Thank you, that is all."
)
"""Everyday words, to tell how many characters a token has."""
STARTER = "nodes.model_worker.starting"
"""Module that a process is started with to see what that takes."""
HOT = 20.0
"""Temperature at which a model says anything at all, so that it hardly ever ends its answer early."""


@dataclass(frozen=True)
class Plan:
    """Tokens of the requests that are compared."""

    short: int
    long: int
    said: int
    repetitions: int

    @classmethod
    def within(cls, level: Level, context: int, *, quick: bool) -> "Plan":
        """As large as the model's context allows. ModelUnfit where it allows next to nothing."""
        said = min(16 if quick else 64, context // 4)
        long = min(256 if quick else 1024, context - said - 1)
        short = min(16, long // 2)
        if said < 2 or short < 1:
            raise ModelUnfit(f"a context of {context} tokens is too short to measure", place=f"level {level.name}")
        return cls(short, long, said, 2 if quick else 5)


def calibrate(
    level: Level,
    *,
    quick: bool,
    seed: int,
    clock: Clock,
    progress: Callable[[str], None] = lambda _: None,
    gauge: Gauge | None = None,
) -> LevelCosts:
    """Load the level and measure it.

    Raises the errors of loading, ModelUnfit for a level that cannot be measured, and MeterError.
    """
    if level.backend == "openai":
        raise ModelUnfit(
            "its answers come from a server, whose energy cannot be measured here", place=f"level {level.name}"
        )
    loads: list[Effort] = []
    gauge = gauge or Gauge(clock)
    engine = Engine(level, clock=clock, loaded=loads.append, gauge=gauge)
    try:
        gauge.use(engine.device)
        progress("starting a process")
        starts = [starting(level, gauge) for _ in range(1 if quick else 3)]
        progress("loading")
        engine.load()  # the first load of a process also imports what later ones find
        loads.clear()
        for _ in range(2):
            engine.unload()
            model = engine.load()
        plan = Plan.within(level, model.context, quick=quick)
        asked = _Asked(engine, model, gauge, Random(seed))
        asked.effort(plan.short, 2)  # the first pass of a model is slower than all that follow
        found: dict[str, list[Effort]] = {"least": [], "read": [], "said": []}
        said: list[int] = []
        for number in range(plan.repetitions):
            progress(f"round {number + 1} of {plan.repetitions}")
            found["least"].append(asked.effort(plan.short, 1)[0])
            found["read"].append(asked.effort(plan.long, 1)[0])
            effort, tokens = asked.effort(plan.short, plan.said)
            found["said"].append(effort)
            said.append(tokens)
        if gauge.failed:
            raise MeterError(
                "could not be read throughout", place=f"sensor of level {level.name}", remedy="calibrate again"
            )
        least, read, talk = (_typical(found[name]) for name in ("least", "read", "said"))
        prefill = _per_thousand(read, least, plan.long - plan.short)
        decode = _per_thousand(talk, least, statistics.median(said) - 1)
        return LevelCosts(
            model=level.model,
            version=model.version,
            device=model.device,
            source=found["least"][0].source or "cpu",
            measured_ns=clock.wall_ns(),
            load=_typical(loads),
            start=_difference(_typical(starts), _typical(loads)),
            answer=_difference(least, prefill.times(plan.short / 1000).plus(decode.times(1 / 1000))),
            prefill=prefill,
            decode=decode,
            characters_per_token=len(SAMPLE) / max(1, len(model.tokenizer.encode(SAMPLE).ids)),
            max_new_tokens=level.max_new_tokens,
            repetitions=plan.repetitions,
        )
    finally:
        engine.unload()
        engine.close()


def starting(level: Level, gauge: Gauge) -> Effort:
    """What it takes to start a process and to load the level in it. Raises ModelUnfit where that fails."""
    began, before_s = gauge.begin(), _children_cpu_s()
    done = subprocess.run(
        [sys.executable, "-m", STARTER], input=msgspec.json.encode(level), capture_output=True, check=False
    )
    took, cpu_s = gauge.since(began), _children_cpu_s() - before_s
    if done.returncode:
        said = done.stderr.decode(errors="replace").rstrip().rpartition("\n")[2]
        raise ModelUnfit(
            f"a process that loads it ended with status {done.returncode}: {said}", place=f"level {level.name}"
        )
    return replace(took, cpu_s=cpu_s)


def _children_cpu_s() -> float:
    """Processor seconds of all children of this process that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@dataclass
class _Asked:
    engine: Engine
    model: LoadedModel
    gauge: Gauge
    random: Random

    def effort(self, tokens: int, said: int) -> tuple[Effort, int]:
        """What it takes to read `tokens` and to say `said`, and how many were said.

        ModelUnfit where the model keeps ending its answers at once.
        """
        for _ in range(10):
            ids = [self.random.randrange(self.model.vocab) for _ in range(tokens)]
            began = self.gauge.begin()
            generated = self.engine.generate(
                Generate(ids=ids, max_new_tokens=said, temperature=HOT, seed=self.random.getrandbits(32))
            )
            effort = self.gauge.since(began)
            if generated.tokens_generated >= max(1, said // 2):
                return effort, generated.tokens_generated
        raise ModelUnfit(f"ends its answers before {said} tokens are said", place=f"level {self.engine.level.name}")


def _typical(efforts: list[Effort]) -> Cost:
    return Cost(
        cpu_s=statistics.median(one.cpu_s for one in efforts),
        joules=statistics.median(one.joules for one in efforts),
        seconds=statistics.median(one.seconds for one in efforts),
    )


def _per_thousand(more: Cost, less: Cost, tokens: float) -> Cost:
    return _difference(more, less).times(1000 / tokens)


def _difference(more: Cost, less: Cost) -> Cost:
    return Cost(
        cpu_s=max(0.0, more.cpu_s - less.cpu_s),
        joules=max(0.0, more.joules - less.joules),
        seconds=max(0.0, more.seconds - less.seconds),
    )
