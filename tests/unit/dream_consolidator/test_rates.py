from __future__ import annotations

import msgspec
import pytest

from nodes.dream_consolidator import settings as configuration
from nodes.dream_consolidator.distiller.rates import peak_rate, schedule


def test_the_rate_falls_with_width_and_a_given_one_is_taken() -> None:
    full = configuration.load().train
    low_rank = msgspec.structs.replace(full, method="lora")
    assert peak_rate(896, full) == pytest.approx(1e-5)
    assert peak_rate(56, full) == pytest.approx(1.6e-4)
    assert peak_rate(896, low_rank) == pytest.approx(2e-4)
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
