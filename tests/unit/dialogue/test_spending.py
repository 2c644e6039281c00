"""What an exchange cost, from what was measured of its answers."""

import msgspec
import pytest

from nodes.dialogue import spending
from nodes.dialogue.spending import Rates, Spent, bill
from protocol.messages.metabolism import Energy
from protocol.messages.model import Generated
from runtime.power.costs import Cost, LevelCosts

AT = Rates(cpu_s=0.5, joule=0.05)


RATES = LevelCosts(
    model="m",
    version="v",
    device="cpu",
    source="cpu",
    measured_ns=1,
    load=Cost(cpu_s=9.0),
    answer=Cost(cpu_s=0.5, seconds=0.5),
    prefill=Cost(cpu_s=2.0, seconds=2.0),
    decode=Cost(cpu_s=50.0, seconds=50.0),
    characters_per_token=4.0,
    max_new_tokens=50,
)


def test_joules_go_before_processor_seconds():
    assert AT.atp(4.0, 0.0) == 2.0
    assert AT.atp(4.0, 10.0) == pytest.approx(0.5)
    assert Rates(cpu_s=0.5).atp(4.0, 10.0) == 2.0, "what a joule is worth has not been said"


def test_rates_are_what_the_controller_says():
    assert spending.rates(None) == Rates()
    energy = Energy(atp=1, capacity=1, income=0, spent={}, atp_per_cpu_s=0.5, atp_per_joule=0.05)
    assert (spending.rates(energy), spending.rates(energy).watts) == (AT, 10.0)


def test_a_bill_sums_what_was_measured():
    unmeasured = bill("x", [Spent(1.0), Spent(2.0)], AT, salience=0.3)
    assert (unmeasured.cpu_s, unmeasured.joules, unmeasured.source, unmeasured.salience) == (3.0, 0.0, "", 0.3)
    measured = bill("x", [Spent(1.0, 5.0, "rapl"), Spent(2.0, 7.0, "nvml")], AT)
    assert (measured.joules, measured.source) == (12.0, "nvml+rapl")


def test_nothing_is_forgotten_where_only_some_answers_were_measured():
    mixed = bill("x", [Spent(1.0), Spent(2.0, 7.0, "nvml")], AT, other_cpu_s=0.5)
    assert (mixed.cpu_s, mixed.joules) == (3.5, 7.0 + 1.5 * 10)
    unknown = bill("x", [Spent(1.0), Spent(2.0, 7.0, "nvml")], Rates())
    assert (unknown.cpu_s, unknown.joules, unknown.source) == (3.0, 0.0, "")


def test_what_an_answer_took_is_what_its_model_measured():
    generated = Generated(
        text="",
        ids=[],
        stop_reason="stop",
        tokens_reused=0,
        tokens_computed=0,
        tokens_generated=0,
        confidence=1.0,
        level="",
        model="",
        version="",
        seconds={},
        cpu_s=3.0,
        joules=5.0,
        joules_source="rapl",
    )
    assert spending.of(generated) == Spent(3.0, 5.0, "rapl")


def test_an_answer_lost_with_its_worker_costs_what_was_read_and_said_of_it_by_then():
    assert spending.lost(RATES, 4000, 20, seconds=9.0, cpu_s=0.0) == Spent(0.5 + 2.0 + 1.0)
    assert spending.lost(RATES, 4000, 0, seconds=9.0, cpu_s=0.0) == Spent(2.5), "read, and nothing said"
    assert spending.lost(RATES, 4000, 0, seconds=1.0, cpu_s=0.0) == Spent(1.0), "there was no time to read all of it"
    measured = msgspec.structs.replace(RATES, source="rapl", decode=Cost(cpu_s=50.0, joules=400.0))
    assert spending.lost(measured, 0, 20, seconds=9.0, cpu_s=0.0) == Spent(1.5, 8.0, "calibrated")


def test_of_a_level_that_was_not_calibrated_the_process_speaks_else_the_clock():
    assert spending.lost(None, 4000, 20, seconds=9.0, cpu_s=3.5) == Spent(3.5)
    assert spending.lost(None, 4000, 20, seconds=9.0, cpu_s=0.0) == Spent(9.0)
