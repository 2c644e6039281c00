"""One way to train a true shape with random weights, weighed: `python -m nodes.dream_consolidator.distiller.weighing`.

In a process of its own, so that the peak is that way's alone. Reads a `Way` as JSON from stdin, writes a `Weight`.
"""

from __future__ import annotations

import resource
import sys
import time
from random import Random

import msgspec
import torch

from nodes.dream_consolidator import settings as configuration
from nodes.dream_consolidator.distiller import precision
from nodes.dream_consolidator.distiller.losses import Target
from nodes.dream_consolidator.distiller.memory import OutOfMemory, allowed, limited
from nodes.dream_consolidator.distiller.targets import Item
from nodes.dream_consolidator.distiller.training import Lessons, Trainer
from nodes.dream_consolidator.weight import PROMPT, Way, Weight, settings_of
from nodes.model_worker import random_weights

_ANSWER = 32
_TOP_K = 32


def weigh(way: Way) -> Weight:
    """Train for so many steps; OutOfMemory where it needs more than is free."""
    settings = settings_of(way, configuration.load().train)
    dtype = precision.held(settings, way.device, "bfloat16")
    loaded = random_weights.build(
        way.shape, dtype=dtype, device=way.device, seed=way.seed, chunk=128, threads=way.threads
    )
    lessons = _lessons(way)
    trainer = Trainer(loaded.model, lessons, Lessons([], []), settings, seed=way.seed)
    seconds = []
    if way.device == "cuda":
        torch.cuda.reset_peak_memory_stats()  # building the model took more for a moment
    for _ in range(way.steps):
        began = time.perf_counter()
        trainer.step()
        seconds.append(time.perf_counter() - began)
    if way.device == "cuda":
        peak = torch.cuda.max_memory_allocated()
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Weight(peak=peak, seconds=min(seconds), parameters=loaded.parameters, trained=trainer.trained)


def _lessons(way: Way) -> Lessons:
    """A batch of lessons that say nothing, each as long as every other."""
    random = Random(way.seed)

    def ids(count: int) -> list[int]:
        return [random.randrange(way.shape.vocab) for _ in range(count)]

    items = [Item(ids(PROMPT), ids(_ANSWER), 1.0, verified=True, rehearsal=False) for _ in range(way.lessons)]
    told = torch.randn(_ANSWER, way.shape.vocab).log_softmax(-1).topk(_TOP_K)
    return Lessons(items, [Target(told.indices.int(), told.values)] * len(items))


def main() -> int:
    way = msgspec.json.decode(sys.stdin.buffer.read(), type=Way)
    try:
        with limited(allowed("auto")):
            weight = weigh(way)
    except OutOfMemory:
        weight = Weight()
    print(msgspec.json.encode(weight).decode())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
