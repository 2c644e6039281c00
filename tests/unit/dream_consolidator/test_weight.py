"""What is read off two peaks."""

from nodes.dream_consolidator.weight import ROOM, Weight, _figures


def test_how_many_tokens_fit_is_read_off_the_line_through_two_peaks() -> None:
    found = _figures([(128, Weight(peak=2 * 10**9)), (512, Weight(peak=5 * 10**9))])
    assert found["bytes_without"] == 10**9
    assert found["tokens_that_fit"] == int((ROOM - 10**9) / (3 * 10**9 / 384))


def test_where_the_batch_is_not_the_peak_nothing_is_read_off() -> None:
    found = _figures([(128, Weight(peak=2 * 10**9)), (512, Weight(peak=2 * 10**9))])
    assert "tokens_that_fit" not in found
    assert "tokens_that_fit" not in _figures([(128, Weight(peak=2 * 10**9)), (512, Weight())])
