from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from click.testing import CliRunner

from nodes.dream_consolidator import commands, forget_commands
from protocol.messages.context import Snarc
from protocol.messages.dream import ExampleRow, ExamplesForgotten, ExamplesListed, ForgetExamples, ListExamples
from protocol.messages.model import ChatMessage

CLOSED = ExampleRow(
    exchange="x1", level="tactical", context="novel", cluster=3, salience=0.8, received_ns=10**18, met=2
)
OPEN = ExampleRow(
    exchange="x1",
    level="tactical",
    context="novel",
    cluster=3,
    salience=0.8,
    received_ns=10**18,
    met=2,
    snarc=Snarc(surprise=0.25, conflict=0.5),
    messages=[ChatMessage(role="user", content="where is the cup?")],
    answer="in the hall",
    version="v1",
    score=1.0,
    source="user",
    ids=[7, 8],
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    requests: list[Any] = []

    def ask(request: Any, timeout: float) -> ExamplesForgotten:
        requests.append(request)
        return ExamplesForgotten(examples=2, exchanges=3, dream="0123456789abcdef", derived=["weights ab12"])

    def follow(request: ListExamples, timeout: float, on_part: Callable[[Any], None]) -> ExamplesListed:
        requests.append(request)
        on_part(OPEN if request.words else CLOSED)
        return ExamplesListed(examples=1)

    monkeypatch.setattr(forget_commands, "ask", ask)
    monkeypatch.setattr(forget_commands, "follow", follow)
    return requests


def sage_dream(*arguments: str) -> Any:
    return CliRunner().invoke(commands.dream, arguments)


def test_a_list_shows_no_word_that_was_said(asked: list[Any]) -> None:
    shown = sage_dream("examples")
    assert shown.exit_code == 0, shown.output
    assert asked == [ListExamples()]
    header, row, _, total = shown.output.splitlines()
    assert header.split() == ["exchange", "received", "level", "context", "salience", "met"]
    assert (row.split()[0], row.split()[-4:]) == ("x1", ["tactical", "novel/3", "0.80", "2"])
    assert total == "1 examples"


def test_show_opens_what_was_said_and_what_is_known_of_it(asked: list[Any]) -> None:
    shown = sage_dream("examples", "--show", "x1")
    assert asked == [ListExamples(exchanges=["x1"], words=True)]
    assert "user: where is the cup?\n  tactical (v1): in the hall\n  1 by user; salience 0.80" in shown.output
    assert "(surprise 0.25, novelty 0.00, arousal 0.00, reward 0.00, conflict 0.50)" in shown.output
    assert "token ids: 7 8" in shown.output
    assert json.loads(sage_dream("examples", "--show", "--json").output)["answer"] == "in the hall"


def test_what_to_forget_is_said_together(asked: list[Any]) -> None:
    shown = sage_dream("forget", "--session", "kitchen", "--before", "2026-05-01")
    assert asked == [ForgetExamples(session="kitchen", before_ns=int(datetime(2026, 5, 1).timestamp()) * 10**9)]
    assert shown.output.splitlines() == [
        "2 examples forgotten",
        "dream 0123456789ab rested on it: given up, to begin anew",
        "made from it: weights ab12",
    ]
    assert json.loads(sage_dream("forget", "x1", "--json").output)["derived"] == ["weights ab12"]
    assert asked[-1] == ForgetExamples(exchange="x1")


@pytest.mark.parametrize("arguments", [[], ["x1", "--all"], ["--before", "yesterday"]])
def test_what_says_nothing_or_too_much_is_wrong(asked: list[Any], arguments: list[str]) -> None:
    assert sage_dream("forget", *arguments).exit_code == 2
    assert asked == []
