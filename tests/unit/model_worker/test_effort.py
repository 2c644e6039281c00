"""What work took: processor seconds always, joules where a sensor counts them; loads are booked apart from answers."""

from collections.abc import Callable

import pytest

from nodes.model_worker import loading, loads
from nodes.model_worker.effort import Effort, Gauge
from nodes.model_worker.engine import Engine
from nodes.model_worker.errors import ModelMemory
from nodes.model_worker.levels import Level
from nodes.model_worker.loads import Loads
from nodes.model_worker.turn import Turn
from nodes.model_worker.worker import Worker
from protocol.errors import BadRequest
from protocol.messages.metabolism import Settle
from protocol.messages.model import Generate, Generated
from runtime.clock import VirtualClock
from runtime.power import MeterError


class Counter:
    """A sensor that counts 3 J with each look."""

    source = "rapl"

    def __init__(self) -> None:
        self.total, self.broken, self.closed = 0.0, False, False

    def probe(self) -> str:
        return ""

    def joules(self) -> float:
        if self.broken:
            raise MeterError("gone")
        self.total += 3.0
        return self.total

    def close(self) -> None:
        self.closed = True


def test_joules_are_what_the_sensor_counted_in_between():
    counter, clock = Counter(), VirtualClock()
    gauge = Gauge(clock, lambda _device: counter)
    gauge.use("cpu")
    began = gauge.begin()
    clock.advance(2.0)
    took = gauge.since(began)
    assert (took.joules, took.source, took.seconds) == (3.0, "rapl", 2.0)
    assert took.cpu_s >= 0
    gauge.use("cuda")
    assert counter.closed


def test_a_sensor_that_fails_leaves_the_word_to_the_processor():
    counter = Counter()
    gauge = Gauge(VirtualClock(), lambda _device: counter)
    gauge.use("cpu")
    began = gauge.begin()
    counter.broken = True
    took = gauge.since(began)
    assert (took.joules, took.source, gauge.failed) == (0.0, "", 1)


def test_an_answer_tells_its_own_effort_and_loading_is_told_apart(level: Level):
    loaded: list[Effort] = []
    counter = Counter()
    engine = Engine(level, loaded=loaded.append, gauge=Gauge(VirtualClock(), lambda _device: counter))
    first = engine.generate(Generate(ids=[5, 6], max_new_tokens=1))
    (load,) = loaded
    assert (load.joules, load.source) == (3.0, "rapl")
    assert (first.joules, first.joules_source) == (3.0, "rapl")
    second = engine.generate(Generate(ids=[5, 6], max_new_tokens=1))
    assert (second.joules, len(loaded)) == (3.0, 1)
    engine.close()
    assert counter.closed


def test_what_a_load_or_an_answer_took_until_it_failed_is_told_and_a_refusal_is_free(
    level: Level, monkeypatch: pytest.MonkeyPatch
):
    told: list[tuple[str, float]] = []
    engine = Engine(
        level,
        in_vain=lambda kind, effort: told.append((kind, effort.joules)),
        gauge=Gauge(VirtualClock(), lambda _device: Counter()),
    )
    monkeypatch.setattr(loading, "load", failing(ModelMemory("too large")))
    with pytest.raises(ModelMemory):
        engine.load()
    monkeypatch.undo()
    engine.load()
    with pytest.raises(BadRequest):
        engine.generate(Generate())
    monkeypatch.setattr(Turn, "answer", failing(RuntimeError("can't allocate memory")))
    with pytest.raises(ModelMemory):
        engine.generate(Generate(ids=[5, 6]))
    engine.close()
    assert told == [("load", 3.0), ("exchange", 3.0)]
    owed = Loads("sensory")
    owed.add_failed("exchange", "a", Effort(cpu_s=0.5, joules=0.0, source="", seconds=1.0))
    assert owed.next() == Settle(ident="failed/sensory/a", kind="exchange", cpu_s=0.5)


def failing(error: Exception) -> Callable[..., None]:
    def fail(*_args: object) -> None:
        raise error

    return fail


def test_where_nothing_counts_joules_there_are_none(level: Level):
    engine = Engine(level, gauge=Gauge(VirtualClock(), lambda _device: None))
    generated = engine.generate(Generate(ids=[5, 6], max_new_tokens=1))
    assert (generated.joules, generated.joules_source) == (0.0, "")
    assert generated.cpu_s > 0


def test_loads_wait_until_they_are_booked_and_are_never_silently_lost(monkeypatch):
    monkeypatch.setattr(loads, "WAITING", 2)
    owed = Loads("sensory")
    for ident in "abc":
        owed.add(ident, Effort(cpu_s=1.0, joules=0.0, source="", seconds=1.0))
    bill = owed.next()
    assert (bill.ident, bill.kind, bill.cpu_s) == ("load/sensory/b", "load", 1.0)
    owed.strike(bill)
    owed.strike(bill)
    owed.strike(owed.next(), refused=True)
    assert owed.next() is None
    assert owed.stats() == {"waiting": 0, "settled": 1, "refused": 1, "given_up": 1, "unheard": 0}


def test_what_a_start_took_is_billed_as_a_load_of_its_own():
    owed = Loads("sensory")
    owed.add_start("a", 1.25)
    assert owed.next() == Settle(ident="start/sensory/a", kind="load", cpu_s=1.25)


async def test_a_worker_tells_once_what_importing_its_engine_took(level: Level):
    told: list[float] = []
    worker = Worker(level, VirtualClock(), imported=told.append)
    await worker.load()
    await worker.unload()
    await worker.load()
    await worker.close()
    assert len(told) == 1


def test_an_answer_that_its_asker_gave_up_is_billed_as_an_exchange():
    owed = Loads("sensory")
    made = Generated(
        text="",
        ids=[],
        stop_reason="cancelled",
        tokens_reused=0,
        tokens_computed=5,
        tokens_generated=0,
        confidence=0.0,
        level="sensory",
        model="m",
        version="v",
        seconds={},
        cpu_s=0.5,
        joules=2.0,
        joules_source="rapl",
    )
    owed.add_unheard("a", made)
    assert owed.next() == Settle(ident="unheard/sensory/a", kind="exchange", cpu_s=0.5, joules=2.0, source="rapl")
    assert owed.stats()["unheard"] == 1
