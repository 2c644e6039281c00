"""What waits to be written: in which order it is tried, how much of it there may be, and that it can be had."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from nodes.model_worker.kv.chunkfile import Keys
from nodes.model_worker.kv.exactness import Exactness
from nodes.model_worker.kv.sessions import ChunkUnusable, Recalled, Snapshot
from nodes.model_worker.kv.shape import StateShape
from nodes.model_worker.kv.shelf import Shelf
from nodes.model_worker.kv.tree import Chunk
from nodes.model_worker.kv.vault import Vault
from runtime.identity import HostIdentity

SIZE = 4
SHAPE = StateShape(layers=1, kv_heads=1, head_dim=2, dtype="float32")
CHUNK_BYTES = 1 * 2 * 1 * SIZE * 2 * 4
FINGERPRINT = {"weights": "w"}


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    made = Vault(tmp_path / "attention", Keys(HostIdentity.load(tmp_path)), budget=1 << 30)
    yield made
    made.close()


def shelf(vault: Vault, **more: Any) -> Shelf:
    return Shelf(vault, FINGERPRINT, model="tiny", shape=SHAPE, size=SIZE, **more)


def chunk_of(first: int, parent: Chunk | None = None) -> Chunk:
    root = parent or Chunk(None, (), Exactness.COLD)
    return Chunk(root, tuple(range(first, first + SIZE)), Exactness.COLD)


def snapshot(name: str, *chunks: Chunk, held: bool = True) -> Snapshot:
    return Snapshot(name, [(chunk, data_of(chunk) if held else None) for chunk in chunks], {})


def data_of(chunk: Chunk) -> torch.Tensor:
    """[1 layer, 2, 1 head, tokens, 2]: every number tells which token it belongs to."""
    return torch.tensor(chunk.ids, dtype=torch.float32)[None, None, None, :, None].expand(1, 2, 1, -1, 2).contiguous()


class Disk:
    """Writes of the vault that wait, or fail for the conversations of these names."""

    def __init__(self, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = threading.Event()
        self.open.set()
        self.failing: set[str] = set()
        self.tried: list[str] = []
        self._write = vault.write_session
        monkeypatch.setattr(vault, "write_session", self.write)

    def write(self, fingerprint: dict[str, str], word: str, kept: Any) -> None:
        assert self.open.wait(60)
        self.tried.append(kept.name)
        if kept.name in self.failing:
            raise OSError(5, "Input/output error")
        self._write(fingerprint, word, kept)


@pytest.fixture
def disk(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(vault, monkeypatch)


def names(vault: Vault) -> set[str]:
    return {kept.name for _, _, kept in vault.manifests()}


def test_one_that_cannot_be_written_does_not_hold_up_the_others(vault: Vault, disk: Disk) -> None:
    kept = shelf(vault)
    disk.failing = {"a"}
    disk.open.clear()
    for number, name in enumerate("abc"):
        kept.keep(snapshot(name, chunk_of(10 * number)))
    disk.open.set()
    assert not kept.flush(60)
    assert names(vault) == {"b", "c"}
    assert "Input/output error" in kept.problem
    disk.failing = set()
    kept.close()
    assert names(vault) == {"a", "b", "c"}
    assert (kept.problem, kept.given_up) == ("", 0)


def test_closing_tries_each_once_more_and_counts_what_is_given_up(vault: Vault, disk: Disk) -> None:
    kept = shelf(vault)
    disk.failing = {"a", "b"}
    for number, name in enumerate("abc"):
        kept.keep(snapshot(name, chunk_of(10 * number)))
    assert not kept.flush(60)
    disk.tried.clear()
    kept.close()
    assert sorted(disk.tried) == ["a", "b"]
    assert kept.given_up == 2
    kept.close()
    assert kept.given_up == 2


def test_somebody_who_cannot_be_told_of_a_problem_does_not_stop_the_writing(vault: Vault, disk: Disk) -> None:
    def gone() -> None:
        raise RuntimeError("the loop is closed")

    kept = shelf(vault, noticed=gone)
    disk.failing = {"a"}
    kept.keep(snapshot("a", chunk_of(0)))
    assert not kept.flush(60)
    kept.keep(snapshot("b", chunk_of(10)))
    assert not kept.flush(60)
    assert names(vault) == {"b"}
    kept.close()


def test_what_waits_can_be_had_although_memory_let_go_of_it(vault: Vault, disk: Disk) -> None:
    kept, first = shelf(vault), chunk_of(0)
    second = chunk_of(4, first)
    disk.open.clear()
    kept.keep(snapshot("a", first))
    third = chunk_of(8, second)
    kept.keep(snapshot("b", first, second))
    kept.keep(Snapshot("b", [(first, None), (second, None), (third, data_of(third))], {}))
    for chunk in (first, second, third):
        waiting = kept.waiting(chunk)
        assert waiting is not None
        assert torch.equal(waiting, data_of(chunk))
    assert kept.waiting(chunk_of(0)) is None, "another chunk, whatever it holds"
    disk.open.set()
    assert kept.flush(60)
    assert kept.waiting(second) is None
    assert torch.equal(kept.read(second), data_of(second))
    recalled = kept.recall("b")
    assert isinstance(recalled, Recalled)
    assert [each.ids for each in recalled.line] == [first.ids, second.ids, third.ids]
    kept.close()


def test_no_more_waits_than_there_is_room_for_but_the_latest_does(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    kept = shelf(vault, room=2 * CHUNK_BYTES)
    monkeypatch.setattr(vault, "write_chunk", full)
    for number, name in enumerate("abcd"):
        kept.keep(snapshot(name, chunk_of(10 * number)))
        assert not kept.flush(60)
        assert kept.stats()["disk_waiting_bytes"] <= 2 * CHUNK_BYTES
    assert kept.given_up == 2
    line = [chunk_of(100)]
    for _ in range(4):
        line.append(chunk_of(line[-1].ids[0] + SIZE, line[-1]))
    kept.keep(snapshot("e", *line))
    assert not kept.flush(60)
    assert (kept.given_up, kept.stats()["disk_waiting"]) == (4, 1)
    kept.close()


def test_chunks_that_lie_on_the_disk_already_are_let_go_of_before_a_conversation_is(vault: Vault, disk: Disk) -> None:
    kept = shelf(vault, room=2 * CHUNK_BYTES)
    disk.failing = set("abcdef")
    for number, name in enumerate("abcd"):
        kept.keep(snapshot(name, chunk_of(10 * number)))  # the chunk is written, the conversation is not
        assert not kept.flush(60)
    kept.keep(snapshot("e", chunk_of(100)))
    assert kept.stats()["disk_waiting_bytes"] <= 2 * CHUNK_BYTES
    disk.failing = set()
    assert kept.flush(60)
    assert (names(vault), kept.given_up) == (set("abcde"), 0)
    kept.close()


def test_where_somebody_holds_the_vault_each_is_not_tried_in_turn(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def held(*_: object) -> str:
        tried.append(1)
        raise TimeoutError("another process has been writing into it")

    kept, disk = shelf(vault), Disk(vault, monkeypatch)
    disk.open.clear()
    kept.keep(snapshot("a", chunk_of(0)))
    for number, name in enumerate("bcd", start=1):
        kept.keep(snapshot(name, chunk_of(10 * number)))
    monkeypatch.setattr(vault, "write_chunk", held)
    disk.open.set()
    assert not kept.flush(60)
    tried.clear()
    assert not kept.flush(60)
    assert len(tried) == 1
    monkeypatch.undo()
    kept.close()
    assert names(vault) == set("abcd")


def broken(*_: object) -> None:
    raise sqlite3.OperationalError("disk I/O error")


@pytest.mark.parametrize(
    ("method", "ask"),
    [
        ("sessions_of", lambda kept: kept.recall("nobody")),
        ("named", lambda kept: kept.discover(Chunk(None, (), Exactness.COLD), (0, 1, 2, 3))),
    ],
)
def test_an_index_that_cannot_be_read_is_a_miss_and_counted(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, method: str, ask: Callable[[Shelf], object]
) -> None:
    kept = shelf(vault)
    kept.keep(snapshot("a", chunk_of(0)))
    assert kept.flush(60)
    monkeypatch.setattr(vault.index, method, broken)
    assert ask(kept) in (None, "the index of what is kept cannot be read: disk I/O error")
    assert kept.stats()["disk_unread"] == 1
    kept.close()


def test_a_conversation_is_recalled_although_its_use_cannot_be_noted(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = shelf(vault)
    kept.keep(snapshot("a", chunk_of(0)))
    assert kept.flush(60)
    monkeypatch.setattr(vault.index, "touch", broken)
    assert isinstance(kept.recall("a"), Recalled)
    monkeypatch.setattr(vault, "read_chunk", broken)
    with pytest.raises(ChunkUnusable, match="disk I/O error"):
        kept.read(attached(kept))
    kept.close()


def attached(kept: Shelf) -> Chunk:
    recalled = kept.recall("a")
    assert isinstance(recalled, Recalled)
    chunk = chunk_of(0)
    chunk.address = recalled.line[0].address
    return chunk
