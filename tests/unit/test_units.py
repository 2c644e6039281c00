import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.units import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"), [("200ms", 0.2), ("1.5s", 1.5), ("5m", 300.0), ("2h", 7200.0), ("1d", 86400.0), ("3 s", 3.0)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "size"), [("0B", 0), ("64kB", 64_000), ("512MiB", 512 << 20), ("1.5GiB", 3 << 29), ("2TB", 2 * 10**12)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "5", "s", "-1s", "1e3s", "5 sec", "5S", "٣s", "1.s", "inf s", "5mib"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_duration(text)
    with pytest.raises(ValueError, match="expected"):
        parse_size(text)


@given(st.integers(min_value=0, max_value=10**9))
def test_a_duration_is_shown_so_that_it_reads_back(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=1e-5, abs=1e-3)


@given(st.integers(min_value=0, max_value=2**50))
def test_a_size_is_shown_to_a_digit(size: int) -> None:
    assert parse_size(format_size(size)) == pytest.approx(size, rel=0.06)
