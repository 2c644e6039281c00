"""A conversation's state carried away in one file and back, to this host or another."""

import io
from pathlib import Path

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
