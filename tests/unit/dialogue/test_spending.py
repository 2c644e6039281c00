"""What an exchange cost, from what was measured of its answers."""

import pytest

from nodes.dialogue import spending
from nodes.dialogue.spending import Rates, bill
from protocol.messages.metabolism import Energy
from protocol.messages.model import Generated

AT = Rates(cpu_s=0.5, joule=0.05)


def said(cpu_s: float, joules: float = 0.0, source: str = "") -> Generated:
    return Generated(
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
        cpu_s=cpu_s,
        joules=joules,
        joules_source=source,
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
    unmeasured = bill("x", [said(1.0), said(2.0)], AT, salience=0.3)
    assert (unmeasured.cpu_s, unmeasured.joules, unmeasured.source, unmeasured.salience) == (3.0, 0.0, "", 0.3)
    measured = bill("x", [said(1.0, 5.0, "rapl"), said(2.0, 7.0, "nvml")], AT)
    assert (measured.joules, measured.source) == (12.0, "nvml+rapl")


def test_nothing_is_forgotten_where_only_some_answers_were_measured():
    mixed = bill("x", [said(1.0), said(2.0, 7.0, "nvml")], AT, other_cpu_s=0.5)
    assert (mixed.cpu_s, mixed.joules) == (3.5, 7.0 + 1.5 * 10)
    unknown = bill("x", [said(1.0), said(2.0, 7.0, "nvml")], Rates())
    assert (unknown.cpu_s, unknown.joules, unknown.source) == (3.0, 0.0, "")
