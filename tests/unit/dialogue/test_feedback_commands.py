"""What `sage feedback` takes for a value."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from nodes.dialogue.feedback_commands import Value, feedback


@pytest.mark.parametrize(("word", "value"), [("good", 1.0), ("bad", 0.0), ("0.25", 0.25)])
def test_words_and_numbers_are_values(word: str, value: float) -> None:
    assert Value().convert(word, None, None) == value


@pytest.mark.parametrize("word", ["fine", "1.5", "-1", "nan"])
def test_what_is_no_value_is_refused_by_name(word: str) -> None:
    with pytest.raises(click.BadParameter, match=word):
        Value().convert(word, None, None)


def test_a_wrong_value_is_wrong_usage() -> None:
    result = CliRunner().invoke(feedback, ["last", "fine"])
    assert result.exit_code == 2
    assert "neither good nor bad" in result.output
