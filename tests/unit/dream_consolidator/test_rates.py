from __future__ import annotations

import msgspec
import pytest

from nodes.dream_consolidator import settings as configuration
from nodes.dream_consolidator.distiller.rates import peak_rate, schedule


def test_the_rate_falls_with_width() -> None:
    full = configuration.load().train
    low_rank = msgspec.structs.replace(full, method="lora")
    assert peak_rate(896, full) == pytest.approx(1e-5)
    assert peak_rate(1792, full) == pytest.approx(5e-6)
    assert peak_rate(896, low_rank) == pytest.approx(2e-4)


def test_narrow_models_learn_faster_up_to_a_highest_rate() -> None:
    full = configuration.load().train
    assert peak_rate(448, full) == pytest.approx(2**1.75 * 1e-5)
    assert peak_rate(16, full) == pytest.approx(1e-3)


def test_a_given_rate_is_taken_whatever_the_width() -> None:
    full = configuration.load().train
    assert peak_rate(1, msgspec.structs.replace(full, rate=0.5)) == 0.5


def test_the_trapezoid_rises_stays_and_falls_to_nothing() -> None:
    shares = [schedule("trapezoid", step, 100) for step in range(101)]
    assert shares[0] == 0.2
    assert set(shares[4:51]) == {1.0}
    assert shares[50:] == sorted(shares[50:], reverse=True)
    assert shares[100] == 0.0


def test_the_cosine_is_half_way_down_in_the_middle_and_the_constant_never_falls() -> None:
    cosine = [schedule("cosine", step, 100) for step in range(101)]
    assert cosine[0] == 0.2
    assert cosine[50] == pytest.approx(0.5)
    assert cosine[100] == pytest.approx(0.0)
    assert cosine[5:] == sorted(cosine[5:], reverse=True)
    assert {schedule("constant", step, 100) for step in range(5, 101)} == {1.0}
