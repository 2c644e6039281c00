"""A conversation kept as it was at a moment, beside itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nodes.model_worker.engine import Engine
from nodes.model_worker.errors import UnknownSession
from nodes.model_worker.kv.chunkfile import Keys
from nodes.model_worker.kv.vault import Vault
from nodes.model_worker.levels import Level
from protocol.messages.model import Generate, MarkState
from runtime.identity import HostIdentity
from tests.unit.model_worker import tiny

IDS = [5 + (7 * number) % 290 for number in range(40)]


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    made = Vault(tmp_path / "kv", Keys(HostIdentity.load(tmp_path)), budget=1 << 30)
    yield made
    made.close()


@pytest.fixture
def engine(tmp_path: Path, vault: Vault) -> Iterator[Engine]:
    folder = tiny.save(tmp_path / "model")
    level = Level(
        name="x", model=str(folder), device="cpu", dtype="float32", context=400, max_new_tokens=4, prefill_chunk=16
    )
    made = Engine(level, vault=vault)
    yield made
    made.close()


def say(engine: Engine, *ids: int, session: str = "talk") -> int:
    """Go on; how many tokens were reused."""
    return engine.generate(Generate(ids=[*IDS, *ids], session=session, max_new_tokens=1)).tokens_reused


def test_it_stands_as_it_was_whatever_becomes_of_the_conversation(engine: Engine, vault: Vault) -> None:
    say(engine)
    marked = engine.mark_state(MarkState(session="talk", label="first", why="by hand"))
    assert (marked.name, marked.tokens) == ("talk#first", 40)
    say(engine, 7, 8, 9)
    engine.mark_state(MarkState(session="talk", label="second"))
    say(engine, 11)
    found = vault.checkpoints("talk")
    assert [(kept.moment.label, sum(len(each.ids) for each in kept.line)) for _, kept in found if kept.moment] == [
        ("first", 40),
        ("second", 43),
    ]
    engine.close()
    again = Engine(engine.level, vault=vault)
    assert again.resume_state("talk#second").tokens == 43
    assert again.resume_state("talk#first").tokens == 40
    # A conversation that goes on from there, under any name, finds it.
    assert say(again, 7, 8, 9, 10, session="other") == 43
    again.close()


def test_of_one_label_the_last_one_stays(engine: Engine, vault: Vault) -> None:
    say(engine)
    engine.mark_state(MarkState(session="talk", label="here"))
    say(engine, 7, 8, 9)
    engine.mark_state(MarkState(session="talk", label="here"))
    assert len(vault.checkpoints("talk")) == 1
    assert engine.resume_state("talk#here").tokens == 43


def test_what_was_never_said_cannot_be_marked(engine: Engine) -> None:
    with pytest.raises(UnknownSession, match="'nobody'"):
        engine.mark_state(MarkState(session="nobody", label="here"))


def test_forgetting_a_conversation_forgets_its_checkpoints(engine: Engine, vault: Vault) -> None:
    say(engine)
    say(engine, session="other")
    engine.mark_state(MarkState(session="talk", label="here"))
    engine.mark_state(MarkState(session="other", label="here"))
    engine.forget_state("talk")
    assert vault.checkpoints("talk") == []
    assert sorted(kept.name for _, _, kept in vault.manifests()) == ["other", "other#here"]
