from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.launch.expression import ExpressionError, evaluate

NAMES = {
    "args.voice": True,
    "args.n": 3,
    "args.family": "qwen",
    "args.memory": 8 << 30,
    "host": "jetson",
    "env.GPU": "1",
}


@pytest.mark.parametrize(
    "expression",
    [
        "args.voice",
        "true",
        "not false",
        "not not true",
        "args.n == 3",
        "args.n != 3.5",
        "args.n >= 3 and args.n < 4",
        "args.memory >= 8GiB",
        "args.memory < 1TiB",
        "1.5s == 1500ms",
        "host == 'jetson'",
        'host in ["legion", "jetson"]',
        'not host in ["legion"]',
        "not (args.n > 3 or host == 'legion')",
        "false or true and true",
        "true or true and false",
        "env.DISPLAY == null",
        "env.GPU != null and env.GPU == '1'",
        "args.family < 'r'",
        "((((args.voice))))",
        "-1 < 0",
        "not host in []",
    ],
)
def test_true(expression: str) -> None:
    assert evaluate(expression, NAMES)
    assert not evaluate(f"not ({expression})", NAMES)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("", "ends too early"),
        ("args.voice and", "ends too early"),
        ("args.n", "3 is neither true nor false"),
        ("args.n and true", "neither true nor false"),
        ("args.voic", "there is no 'args.voic'; did you mean 'args.voice'?"),
        ("host == jetson", "text stands in quotes"),
        ("args.n == '3'", "compares different kinds"),
        ("true < false", "compares different kinds"),
        ("args.voice == true == true", "'==' was not expected here"),
        ("true true", "'true' was not expected here"),
        ("(true", "')' was expected, not 'the end'"),
        ("host in 'jetson'", "a list was expected"),
        ("[1, 2", "',' was expected"),
        ("true; import os", "'; import os' cannot be read"),
        ("__import__('os')", "there is no '__import__'"),
        ("1 + 1 == 2", "cannot be read"),
        ("5parsecs == 5s", "neither a duration nor a size"),
        ("(" * 30 + "true" + ")" * 30, "nested deeper than 20"),
        ("not " * 200, "longer than 400"),
        ("and", "a value was expected, not 'and'"),
        ("env.GPU < null", "compares different kinds"),
    ],
)
def test_what_cannot_be_decided_is_refused(expression: str, expected: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(expression, NAMES)
    assert expected in str(caught.value)


@given(st.text(max_size=60) | st.text(alphabet="()[] notandrue<>=!'\"1.5sargs,", max_size=60))
def test_any_text_gives_a_truth_or_a_refusal(expression: str) -> None:
    with suppress(ExpressionError):
        assert evaluate(expression, NAMES) in (True, False)


@given(st.lists(st.sampled_from(["true", "false"]), min_size=1, max_size=6), st.data())
def test_and_binds_tighter_than_or_as_everywhere(words: list[str], data: st.DataObject) -> None:
    signs = [data.draw(st.sampled_from(["and", "or", "and not", "or not"])) for _ in words[1:]]
    expression = " ".join([words[0], *(f"{sign} {word}" for sign, word in zip(signs, words[1:], strict=True))])
    expected = eval(expression.replace("true", "True").replace("false", "False"))  # our own words, as a second opinion
    assert evaluate(expression, {}) is expected
