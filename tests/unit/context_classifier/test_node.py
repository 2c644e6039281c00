"""A disk that is full for a while costs neither what was learned nor a transition; no senseless figure gets in."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import structlog

from nodes.context_classifier.node import MEMORY_FILE, ContextClassifier
from protocol.errors import BadRequest
from protocol.messages.context import Classify, Context, Reward, ScoreExchange
from protocol.messages.metabolism import Metabolic, MetabolicState, Policy
from protocol.messages.node import NodeState

CALL: Any = None
"""Handlers that refuse do not look at it."""
ASLEEP = MetabolicState(
    state=Metabolic.REST, number=9, reason="", since_ns=0, policy=Policy(answer="nobody", learn=False)
)


class Sense(ContextClassifier):
    """The node without a hub: what it would say of its health is kept, and what it would do beside is not done."""

    said: list[tuple[NodeState, str]]

    def health(self, state: NodeState | str, reason: str = "") -> None:
        self.said.append((NodeState(state), reason))

    def spawn(self, work: Any) -> Any:
        assert inspect.iscoroutine(work)
        work.close()


@pytest.fixture
async def sense(tmp_path: Path) -> Sense:
    node = Sense(
        name="context_classifier",
        params=Sense.Params(),
        run_dir=tmp_path,
        state_dir=tmp_path,
        host="here",
        log=structlog.get_logger(),
    )
    node.said = []
    await node.start()
    return node


def learn(node: Sense, text: str = "where is the cup") -> None:
    assert node._classifier is not None
    node._classifier.classify(Classify(text=text, session="s"))


def block(node: Sense) -> Path:
    """Where the memory belongs lies what cannot be replaced by a file."""
    obstacle = node.state_dir / MEMORY_FILE
    obstacle.mkdir()
    return obstacle


async def test_what_could_not_be_saved_is_said_and_saved_as_soon_as_it_can_be(sense: Sense) -> None:
    learn(sense)
    obstacle = block(sense)
    sense._save()
    ((state, reason),) = sense.said
    assert state is NodeState.DEGRADED
    assert "cannot be saved" in reason
    assert sense._record()["unsaved"] == 1
    obstacle.rmdir()
    sense._save()
    assert obstacle.is_file(), "nothing was learned in between"
    assert sense.said[1:] == [(NodeState.READY, "")]
    sense._save()
    assert len(sense.said) == 2
    assert sense._record()["saved"] == 1


async def test_a_transition_is_taken_up_though_nothing_can_be_saved(sense: Sense) -> None:
    learn(sense)
    block(sense)
    await sense.metabolic_changed(ASLEEP)
    assert sense.said[-1][0] is NodeState.DEGRADED


async def test_that_it_began_with_nothing_known_is_said_again_once_it_can_be_saved(sense: Sense) -> None:
    path = sense.state_dir / MEMORY_FILE
    path.write_bytes(b"not a memory")
    await sense.start()
    learn(sense)
    obstacle = block(sense)
    sense._save()
    obstacle.rmdir()
    sense._save()
    assert sense.said[-1] == sense.said[0]
    assert "began with nothing known" in sense.said[0][1]


async def test_an_end_that_loses_what_was_learned_is_an_error(sense: Sense) -> None:
    learn(sense)
    block(sense)
    with pytest.raises(OSError, match=MEMORY_FILE):
        await sense.stop()


def scoring(**told: Any) -> ScoreExchange:
    given = {"context": Context.STABLE, "confidence": 0.5, **told}
    return ScoreExchange(exchange="e", session="s", question="q", answer="a", **given)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("failures", value) for value in (-1, -3, -2000)],
        ("levels_tried", -1),
        *[
            (name, value)
            for name in ("confidence", "score", "disagreement", "input_nll", "reply_nll", "input_excess", "reply_peak")
            for value in (float("nan"), float("inf"))
        ],
    ],
)
async def test_senseless_figures_of_an_exchange_are_refused_by_name(sense: Sense, name: str, value: float) -> None:
    with pytest.raises(BadRequest, match=name):
        await sense.score(scoring(**{name: value}), CALL)
    assert sense._record()["scored"] == 0


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), -0.1, 1.1])
async def test_a_senseless_reward_is_refused_by_name(sense: Sense, value: float) -> None:
    with pytest.raises(BadRequest, match="value"):
        await sense.reward(Reward(exchange="e", value=value, source="user"), CALL)
