"""A conversation's state carried away in one file and back, to this host or another."""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nodes.model_worker.engine import Engine
from nodes.model_worker.kv import bundle
from nodes.model_worker.kv.chunkfile import Keys, Unreadable
from nodes.model_worker.kv.manifest import Manifest
from nodes.model_worker.kv.vault import Vault
from nodes.model_worker.levels import Level
from protocol.messages.model import Generate, Generated
from runtime.identity import HostIdentity

ASKED = [7 * i % 290 + 3 for i in range(70)]


def vault_of(directory: Path) -> Vault:
    directory.mkdir()
    return Vault(directory / "attention", Keys(HostIdentity.load(directory)), budget=1 << 30)


def ask(engine: Engine, ids: list[int], session: str) -> Generated:
    return engine.generate(Generate(ids=ids, session=session, max_new_tokens=6))


@pytest.fixture
def here(tmp_path: Path) -> Vault:
    return vault_of(tmp_path / "here")


@pytest.fixture
def exported(here: Vault, level: Level) -> bytes:
    engine = Engine(level, vault=here)
    ask(engine, ASKED, "s")
    engine.close()
    ((_, public, kept),) = here.manifests()
    out = io.BytesIO()
    assert bundle.export(here, public.fingerprint, kept, out, 1) == len(out.getvalue())
    return out.getvalue()


def test_a_conversation_goes_on_on_another_host_as_on_its_own(
    here: Vault, level: Level, exported: bytes, tmp_path: Path
) -> None:
    there = vault_of(tmp_path / "there")
    kept = bundle.restore(there, io.BytesIO(exported), "moved")
    assert (kept.name, sum(len(chunk.ids) for chunk in kept.line)) == ("moved", 75)
    ids = [*ASKED, *ask(Engine(level), ASKED, "").ids, 11]
    one, two = ask(Engine(level, vault=here), ids, "s"), ask(Engine(level, vault=there), ids, "moved")
    assert one.tokens_restored == two.tokens_restored == len(ids) - 2
    assert (one.ids, one.confidence) == (two.ids, two.confidence)
    _, private = there.provenance(kept.line[0].address)
    assert private.origin == here.keys.identity.lct.id
    assert private.by == there.keys.identity.lct.id


def test_it_says_who_exported_it(here: Vault, exported: bytes) -> None:
    assert bundle.check(io.BytesIO(exported)).by == here.keys.identity.lct.id


@pytest.mark.parametrize("at", [0, 8, 12, 200, -70, -1])
def test_a_changed_byte_anywhere_is_found_before_anything_is_written(exported: bytes, tmp_path: Path, at: int) -> None:
    there = vault_of(tmp_path / "there")
    data = bytearray(exported)
    data[at] ^= 1
    with pytest.raises(Unreadable):
        bundle.restore(there, io.BytesIO(bytes(data)))
    assert not list(there.chunk_files())


@pytest.mark.parametrize("sixteenth", range(16))
def test_cut_off_anywhere_it_is_refused(exported: bytes, sixteenth: int) -> None:
    with pytest.raises(Unreadable, match="cut off"):
        bundle.check(io.BytesIO(exported[: len(exported) * sixteenth // 16]))


def test_a_newer_version_and_what_follows_the_end_are_named(exported: bytes) -> None:
    newer = exported[:8] + b"\x02\x00" + exported[10:]
    with pytest.raises(Unreadable, match="written in version 2, this program reads 1"):
        bundle.check(io.BytesIO(newer))
    with pytest.raises(Unreadable, match="more follows"):
        bundle.check(io.BytesIO(exported + b"x"))


def test_what_it_replaces_is_the_conversation_of_that_name(here: Vault, exported: bytes) -> None:
    bundle.restore(here, io.BytesIO(exported))
    ((_, _, kept),) = here.manifests()
    assert isinstance(kept, Manifest)
    assert kept.name == "s"


def signed_again(data: bytes, keys: Keys, change: Callable[[list[Any]], None]) -> bytes:
    """The bundle with its head and records as `change` leaves them, signed by these keys."""
    at, frames = 10, []
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "little")
        frames.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    parts = [msgspec.msgpack.decode(frame) for frame in frames[:-1]]
    change(parts)
    packed = [msgspec.msgpack.encode(part) for part in parts]
    signed = data[:10] + b"".join(len(part).to_bytes(4, "little") + part for part in packed)
    signature = keys.identity.sign(hashlib.sha256(signed).digest())
    return signed + len(signature).to_bytes(4, "little") + signature


def test_nobody_signs_in_the_name_of_another(here: Vault, exported: bytes, tmp_path: Path) -> None:
    stranger = vault_of(tmp_path / "stranger").keys

    def with_my_key(parts: list[Any]) -> None:
        parts[0]["key"] = stranger.identity.public_key

    forged = signed_again(exported, stranger, with_my_key)
    with pytest.raises(Unreadable, match=f"its key is not that of {here.keys.identity.lct.id}"):
        bundle.check(io.BytesIO(forged))


def test_state_of_the_right_size_in_another_shape_is_a_miss_that_says_so(
    here: Vault, exported: bytes, level: Level, tmp_path: Path
) -> None:
    def with_heads_split_otherwise(parts: list[Any]) -> None:
        for record in parts[1:]:
            layers, both, heads, tokens, dim = record["shape"]
            record["shape"] = [layers, both, 2 * heads, tokens, dim // 2]

    there = vault_of(tmp_path / "there")
    bundle.restore(there, io.BytesIO(signed_again(exported, here.keys, with_heads_split_otherwise)))
    ids = [*ASKED, 11]
    answer = ask(Engine(level, vault=there), ids, "s")
    assert answer.tokens_restored == 0
    assert "float32 [2, 2, 4, 16, 4] is not this model's float32 [2, 2, 2, 16, 8]" in answer.missed
    assert answer.ids == ask(Engine(level), ids, "").ids


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("ids", [], "0 of 16 ids"),
        ("ids", [1, 2, 3], "3 of 16 ids"),
        ("ids", [-1] * 16, "ids that no tokenizer has"),
        ("ids", [1 << 40] * 16, "ids that no tokenizer has"),
        ("start", 3, "ids from 3 on"),
        ("shape", [2, 2, 2, 16], "in the shape"),
        ("shape", [3, 2, 2, 16, 8], "2 layers in the shape"),
        ("shape", [2, 2, 2, 16, 7], "instead of"),
        ("shape", [2, 2, 2, 16, 1 << 60], "too large"),
        ("exactness", "perfect", "no class of exactness"),
        ("dtype", "complex128", "its numbers are"),
        ("layers", [b"", b""], "does not unpack"),
    ],
)
def test_a_record_that_is_none_is_refused_by_name(
    here: Vault, exported: bytes, tmp_path: Path, field: str, value: object, said: str
) -> None:
    there = vault_of(tmp_path / "there")
    data = signed_again(exported, here.keys, lambda parts: parts[2].__setitem__(field, value))
    with pytest.raises(Unreadable, match=said):
        bundle.restore(there, io.BytesIO(data))
    assert list(there.manifests()) == []
