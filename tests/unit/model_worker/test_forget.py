"""A conversation's attention state is dropped on demand, wherever it lies, and computed again with the next turn."""

from __future__ import annotations

from pathlib import Path

import pytest

from nodes.model_worker.errors import StateOutOfReach
from tests.unit.model_worker.test_vault import Host, ask, converse, files, host, keys, place

__all__ = ["host", "keys", "place"]


def test_what_is_forgotten_is_gone_from_memory_and_disk_and_the_answer_is_the_same(host: Host, place: Path) -> None:
    engine = host()
    ids = converse(engine)
    engine.save_state()
    before = ask(engine, ids, "s")
    forgotten = engine.forget_state("s")
    assert forgotten.tokens == before.tokens_reused + before.tokens_computed + before.tokens_generated - 1
    assert forgotten.bytes > 0
    assert not files(place)
    after = ask(engine, ids, "s")
    assert (after.tokens_reused, after.ids) == (0, before.ids)


def test_what_only_the_disk_holds_is_forgotten_without_loading_a_model(host: Host, place: Path) -> None:
    first = host()
    ids = converse(first)
    first.close()
    second = host()
    assert second.forget_state("s").bytes > 0
    assert not second.loaded
    assert ask(second, ids, "s").tokens_reused == 0


def test_other_conversations_keep_what_they_share(host: Host) -> None:
    engine = host()
    ids = converse(engine, session="s")
    ask(engine, ids, "t")
    engine.save_state()
    engine.forget_state("s")
    assert ask(engine, [*ids, 12], "t").tokens_reused > 0


def test_what_cannot_be_removed_is_said(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = host()
    converse(engine)

    def busy(*_: object) -> int:
        raise TimeoutError("somebody holds it")

    assert engine._vault is not None
    monkeypatch.setattr(engine._vault, "forget", busy)
    with pytest.raises(StateOutOfReach, match="sage kv remove s"):
        engine.forget_state("s")


def test_an_unknown_conversation_is_no_error(host: Host) -> None:
    assert host().forget_state("never").tokens == 0
