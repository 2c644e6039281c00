"""What each way keeps of what the receiver would have said with its own reading."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec

from experiments.reference.contexts import Ask, Probe
from experiments.transfer.pairs import Pair
from experiments.transfer.ways import Way
from nodes.model_worker.kv.pruning.recent import SINKS
from nodes.model_worker.reading import forward_all, read
from nodes.model_worker.transfer.surprise import surprise
from runtime.bench.statistics import median, percentile


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    pair: str
    way: str
    length: int
    right: float
    """Share of questions still answered in the same words, of those that the receiver gets right by its own reading."""
    asked: int
    surprise: float
    """Normalised, mean over conversations; 0 as with its own state, 1 as with none."""
    surprise_p90: float
    kl: float
    js: float
    disagreement: float
    seconds: float
    """From the source's state, or from nothing, until the question is read on top: to the first token. The median."""
    sooner: float
    """Times sooner than its own reading."""


def measure(
    pair: Pair, ways: dict[str, Way], length: int, probes: Sequence[Probe], asks: Sequence[Ask]
) -> list[Measured]:
    sources = [read(pair.source, each.told) for each in (*probes, *asks)]
    native = [forward_all(pair.target, read(pair.target, probe.told), probe.rest) for probe in probes]
    none = [forward_all(pair.target, read(pair.target, probe.told[:SINKS]), probe.rest) for probe in probes]
    found: list[Measured] = []
    own_s = 0.0
    for name, way in ways.items():
        shocks, right, times = [], [], []
        for number, probe in enumerate(probes):
            begun = way(probe.told, sources[number])
            logits = forward_all(pair.target, begun.state, probe.rest)
            shocks.append(surprise(native[number], logits, none[number]))
        for number, ask in enumerate(asks, start=len(probes)):
            begun = way(ask.told, sources[number])
            began = time.perf_counter()
            logits = forward_all(pair.target, begun.state, ask.rest)
            times.append(begun.seconds + time.perf_counter() - began)
            right.append(logits[-len(ask.said) :].argmax(-1).tolist() == ask.said)
        seconds = median(times)
        own_s = own_s or seconds
        found.append(
            Measured(
                pair=pair.name,
                way=name,
                length=length,
                right=sum(right) / len(right),
                asked=len(right),
                surprise=sum(each.normalised for each in shocks) / len(shocks),
                surprise_p90=percentile([each.normalised for each in shocks], 0.9),
                kl=sum(each.kl for each in shocks) / len(shocks),
                js=sum(each.js for each in shocks) / len(shocks),
                disagreement=sum(each.disagreement for each in shocks) / len(shocks),
                seconds=seconds,
                sooner=own_s / seconds,
            )
        )
    return found
