"""A disk that is full for a while costs neither what was learned nor a transition; no senseless figure gets in."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog

from nodes.context_classifier.awaited import EncoderUnavailable
from nodes.context_classifier.node import MEMORY_FILE, ContextClassifier
from protocol.errors import BadRequest, UnknownNode
from protocol.messages.context import Classify, Context, ExplainContext, Reward, ScoreExchange
from protocol.messages.metabolism import Metabolic, MetabolicState, Policy
from protocol.messages.model import Embed, Embedded
from protocol.messages.node import NodeState
from tests.unit.context_classifier.fitted import Worker, fit

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


# A vector that comes from elsewhere


class Caller:
    """The call of a handler."""

    trace = b""


class Listening(Sense):
    """Has a worker beside it, and keeps what it says."""

    worker: Worker
    published: list[Any]

    async def call(self, target: str, request: Any, *, deadline: float, **_: Any) -> Any:
        assert target == "model_worker/sensory"
        return await self.worker.embed(request)

    def publish(self, body: Any, *, trace: bytes = b"") -> None:
        self.published.append(body)


@pytest.fixture
async def listening(tmp_path: Path) -> Listening:
    place = tmp_path / "model.json"
    place.write_bytes(msgspec.json.encode(fit()))
    config = tmp_path / "context.yaml"
    config.write_text(f"encoder: {{name: model, fit: {place}, wait: 10s}}\n")
    node = Listening(
        name="context_classifier",
        params=Sense.Params(config=str(config)),
        run_dir=tmp_path,
        state_dir=tmp_path,
        host="here",
        log=structlog.get_logger(),
    )
    node.said, node.published, node.worker = [], [], Worker()
    await node.start()
    return node


def call() -> Any:
    return Caller()


async def test_without_a_vector_an_input_is_refused_and_nothing_is_learned_until_there_is_one(
    listening: Listening,
) -> None:
    asked = Classify(text="where is the cup", session="s")
    listening.worker.fails = UnknownNode("nobody is here")
    with pytest.raises(EncoderUnavailable, match="nobody is here"):
        await listening.classify(asked, call())
    assert listening.said == [(NodeState.DEGRADED, "no vectors from the encoder model: nobody is here")]
    assert (listening._record()["inputs"], listening._record()["unread"]) == (0, 1)
    listening.worker.fails = None
    assert (await listening.classify(asked, call())).context is Context.NOVEL
    assert listening.said[-1] == (NodeState.READY, "")
    assert [body.session for body in listening.published] == ["s"]


async def test_inputs_of_a_conversation_keep_their_order_though_a_later_one_is_read_first(listening: Listening) -> None:
    released, read = asyncio.Event(), listening.worker.embed

    async def slow_first(request: Embed) -> Embedded:
        if request.texts == ["first"]:
            await released.wait()
        return await read(request)

    listening.worker.embed = slow_first  # type: ignore[method-assign]
    said = [
        asyncio.ensure_future(listening.classify(Classify(text=text, session=session), call()))
        for text, session in (("first", "s"), ("second", "s"), ("other", "t"))
    ]
    await said[2]
    assert [body.session for body in listening.published] == ["t"]
    released.set()
    await asyncio.gather(*said)
    assert [turn.vector.tobytes() for turn in listening._known().memory.sessions["s"].turns] == [
        listening._known().memory.encoder.encode(text).tobytes() for text in ("first", "second")
    ]


async def test_no_model_is_loaded_for_an_utterance_while_the_whole_sleeps(listening: Listening) -> None:
    await listening.explain(ExplainContext(text="a"), call())
    listening.metabolic = msgspec.structs.replace(ASLEEP, policy=Policy(keep_models=False))
    await listening.explain(ExplainContext(text="b"), call())
    assert [asked.load for asked in listening.worker.asked] == [True, False]


async def test_with_another_encoder_the_old_memory_is_moved_aside_and_said(
    sense: Sense, listening: Listening, capsys: pytest.CaptureFixture[str]
) -> None:
    learn(sense)
    sense._save()
    await listening.start()
    (aside,) = listening.state_dir.glob("context.left-*")
    assert aside.is_file()
    assert listening._record()["begun_anew"] == 1
    assert "memory.begun_anew" in capsys.readouterr().out
