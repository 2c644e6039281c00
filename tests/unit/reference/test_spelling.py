import pytest

from experiments.reference.spelling import LIMIT, digits, spell


def test_every_number_comes_back_from_its_words():
    assert [digits(spell(number)) for number in range(LIMIT)] == [str(number) for number in range(LIMIT)]


def test_a_run_of_number_words_is_cut_where_a_number_can_end():
    assert digits("five two forty one") == "5 2 41"
    assert digits("one hundred two three") == "102 3"


def test_a_number_out_of_range_is_refused():
    with pytest.raises(ValueError, match="1000"):
        spell(1000)
