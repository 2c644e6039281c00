"""Lossy codecs: what comes back, what is refused, and a conversation that goes on from it after a restart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from click.testing import CliRunner

from nodes.model_worker import loading
from nodes.model_worker.commands import kv
from nodes.model_worker.engine import Engine
from nodes.model_worker.errors import ModelUnfit, StateUnreadable
from nodes.model_worker.kv.chunkfile import Content, Keys, Unreadable, pack, unpack
from nodes.model_worker.kv.codecs import learned, lossless
from nodes.model_worker.kv.codecs.choosing import codecs_of
from nodes.model_worker.kv.codecs.codec import SINKS, Codec, Codecs
from nodes.model_worker.kv.codecs.fit import fit
from nodes.model_worker.kv.codecs.learned import Fit, Learned
from nodes.model_worker.kv.codecs.uniform import Uniform
from nodes.model_worker.kv.features import Features
from nodes.model_worker.kv.vault import Vault
from nodes.model_worker.levels import Level
from nodes.model_worker.loading import LoadedModel
from nodes.model_worker.reading import read
from protocol.messages.model import Generate
from runtime.identity import HostIdentity
from tests.unit.model_worker import tiny

IDS = [5 + (7 * number) % 290 for number in range(96)]
TEXTS = [[5 + (step * number) % 290 for number in range(96)] for step in range(1, 13)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def loaded(folder: Path) -> LoadedModel:
    level = Level(name="x", model=str(folder), device="cpu", dtype="bfloat16", context=400, max_new_tokens=8)
    found = loading.load(level)
    with torch.no_grad():
        for layer in found.model.model.layers:  # as in trained models: large and not alike
            layer.self_attn.k_proj.bias.normal_(std=30.0)
    return found


@pytest.fixture(scope="module")
def features(loaded: LoadedModel) -> Features:
    return Features.of(loaded)


@pytest.fixture(scope="module")
def state(loaded: LoadedModel) -> torch.Tensor:
    return read(loaded, IDS).piece(0, len(IDS))


@pytest.fixture(scope="module")
def fitted(loaded: LoadedModel, tmp_path_factory: pytest.TempPathFactory) -> Fit:
    folder = tmp_path_factory.mktemp("fits")
    return fit(loaded, TEXTS, level="x", folder=folder, step=0.1, chunk=16).fit


@pytest.fixture(params=["int8", "int4", "int3", "learned"])
def codec(request: pytest.FixtureRequest, features: Features, fitted: Fit) -> Codec:
    if request.param == "learned":
        return Learned(fitted, features)
    return Uniform(int(request.param[3:]), features)


def back(codec: Codec, data: torch.Tensor, start: int) -> torch.Tensor:
    parts = codec.encode(data, start)
    return torch.stack(list(codec.decode(parts, data.shape[3], start)))


def error(found: torch.Tensor, wanted: torch.Tensor) -> float:
    """Root of the mean square, as a share of how far the numbers spread over tokens."""
    spread = (wanted.float() - wanted.float().mean(3, keepdim=True)).pow(2).mean().sqrt()
    return float((found - wanted.float()).pow(2).mean().sqrt() / spread)


def test_finer_ones_come_nearer(features: Features, state: torch.Tensor) -> None:
    errors = [error(back(Uniform(bits, features), state[..., 16:, :], 16), state[..., 16:, :]) for bits in (8, 4, 3)]
    assert errors[0] < errors[1] < errors[2] < 0.1


def test_a_learned_one_errs_by_its_step_and_no_more_whatever_the_text(
    features: Features, fitted: Fit, state: torch.Tensor
) -> None:
    codec = Learned(fitted, features)
    strange = (torch.randn(state.shape, generator=torch.Generator().manual_seed(1)) * 50).bfloat16()
    for data in (state, strange):
        off = features.rows(back(codec, data, 16), 16) - features.rows(data, 16)
        assert float(off.pow(2).mean().sqrt()) < fitted.step * 0.7
    assert sum(map(len, codec.encode(strange, 16))) > sum(map(len, codec.encode(state, 16)))


def test_the_first_tokens_come_back_as_they_were(codec: Codec, state: torch.Tensor) -> None:
    for start in (0, 2):
        exact = SINKS - start
        found = back(codec, state[..., :16, :], start)
        assert torch.equal(found[..., :exact, :].bfloat16(), state[..., :exact, :])
    assert back(codec, state[..., :3, :], 0).shape[3] == 3


@pytest.mark.parametrize("tokens", [1, 5, 16])
def test_any_number_of_tokens_has_the_shape_it_had(codec: Codec, state: torch.Tensor, tokens: int) -> None:
    assert back(codec, state[..., :tokens, :], 0).shape == state[..., :tokens, :].shape


def test_parts_that_are_no_such_parts_are_refused(codec: Codec, state: torch.Tensor) -> None:
    parts = codec.encode(state[..., :16, :], 0)
    for spoiled in (parts[:-1], [*parts[:-1], b""], [parts[0], b"\x07abc", *parts[2:]], [b"", *parts[1:]]):
        with pytest.raises(ValueError, match=r"\S"):
            list(codec.decode(spoiled, 16, 0))
    with pytest.raises(ValueError, match=r"\S"):
        list(codec.decode(parts, 15, 0))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_not_kept(codec: Codec, state: torch.Tensor, bad: float) -> None:
    spoiled = state.clone()
    spoiled[0, 0, 0, 5, 0] = bad
    with pytest.raises(ValueError, match="not finite"):
        codec.encode(spoiled, 0)


def test_a_file_names_its_codec_and_only_that_one_reads_it(
    tmp_path: Path, loaded: LoadedModel, codec: Codec, state: torch.Tensor
) -> None:
    keys = Keys(HostIdentity.load(tmp_path))
    codecs = Codecs(codec.name, {codec.name: codec})
    data = state[..., :16, :]
    content = Content(
        fingerprint={"weights": "w"},
        exactness="lossy",
        size=16,
        dtype="bfloat16",
        shape=list(data.shape),
        parent="",
        ids=IDS[:16],
        start=0,
        model="tiny",
        layers=codecs.packed(data, 0),
        codec=codec.name,
    )
    name, file = pack(keys, content, made_ns=1)
    read = unpack(keys, file, name)
    assert read.codec == codec.name
    assert torch.equal(codecs.tensor(read), torch.stack(list(codec.decode(content.layers, 16, 0))).bfloat16())
    with pytest.raises(Unreadable, match="packed by"):
        Codecs().tensor(read)


def test_a_fit_is_kept_and_read_again_and_another_file_is_refused(
    tmp_path: Path, loaded: LoadedModel, features: Features
) -> None:
    found = fit(loaded, TEXTS, level="x", folder=tmp_path, step=0.5, chunk=16)
    path = learned.path_of(tmp_path, loaded.fingerprint["config"])
    learned.save(path, found.fit, found.card)
    again, card = learned.load(path)
    assert (again.digest, card) == (found.fit.digest, found.card)
    assert {row.step for row in card.measured} >= {0.25, 0.5, 2.0}
    sizes = [row.smaller for row in card.measured]
    assert sizes == sorted(sizes)
    assert Learned(again, features).name == f"learned:{found.fit.digest[:16]}"
    path.write_bytes(b"no such thing")
    with pytest.raises(StateUnreadable, match="no fit"):
        learned.load(path)


def test_too_few_texts_are_refused(tmp_path: Path, loaded: LoadedModel) -> None:
    with pytest.raises(ModelUnfit, match="2 of 3 contexts"):
        fit(loaded, [IDS, IDS, IDS[:8]], level="x", folder=tmp_path, step=0.5, chunk=16)


def test_what_is_not_fitted_is_not_had_and_says_what_to_do(tmp_path: Path, loaded: LoadedModel) -> None:
    with pytest.raises(ModelUnfit, match="sage kv fit"):
        codecs_of(loaded, "learned", tmp_path)
    assert codecs_of(loaded, "lossless", tmp_path).name == lossless.NAME
    assert codecs_of(loaded, "raw", None).name == lossless.RAW
    assert codecs_of(loaded, "int4", tmp_path).loses


def test_a_worker_without_the_fit_answers_all_the_same_and_says_what_is_wrong(folder: Path, vault: Vault) -> None:
    one = engine(folder, vault, codec="learned")
    assert ask(one).tokens_computed == 90
    assert "sage kv fit" in one.state_problem
    assert "kept losslessly" in one.state_problem
    one.close()


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    made = Vault(tmp_path / "kv", Keys(HostIdentity.load(tmp_path)), budget=1 << 30)
    yield made
    made.close()


def engine(folder: Path, vault: Vault, **changes: Any) -> Engine:
    level = Level(
        name="x", model=str(folder), device="cpu", dtype="float32", context=400, max_new_tokens=4, prefill_chunk=16
    )
    return Engine(msgspec.structs.replace(level, **changes), vault=vault)


def ask(engine: Engine, exactness: str = "") -> Any:
    return engine.generate(Generate(ids=IDS[:90], session="talk", max_new_tokens=2, exactness=exactness))


def test_a_conversation_goes_on_from_what_was_kept_with_fewer_bits(folder: Path, vault: Vault) -> None:
    first = engine(folder, vault, codec="int8")
    assert ask(first).exactness == "cold"
    first.close()
    again = engine(folder, vault, codec="int8")
    went_on = ask(again)
    # The tail, which fills no chunk, is computed again.
    assert (went_on.exactness, went_on.tokens_restored) == ("lossy", 80)
    assert ask(engine(folder, vault, codec="int8"), "continuous").tokens_reused == 0
    again.close()


def test_what_fills_no_chunk_is_not_kept(folder: Path, vault: Vault) -> None:
    one = engine(folder, vault, codec="int4")
    one.generate(Generate(ids=IDS[:10], session="short", max_new_tokens=2))
    one.close()
    assert list(vault.manifests()) == []


def test_what_was_evicted_comes_back_as_lossy_and_what_rests_on_it_is(folder: Path, vault: Vault) -> None:
    one = engine(folder, vault, codec="int4")
    ask(one)
    one._shelf.flush()
    one._sessions.give_back(1 << 30)
    one._sessions._clear_desk()
    one._sessions.give_back(1 << 30)
    found = ask(one)
    assert (found.exactness, found.tokens_restored > 0) == ("lossy", True)
    assert one._sessions.unsettled() is None
    one.close()


def test_what_lay_on_the_desk_alone_is_no_better_than_the_disk_once_the_desk_is_cleared(
    folder: Path, vault: Vault
) -> None:
    one = engine(folder, vault, codec="int4")
    ask(one)
    one._shelf.flush()
    for chunk in one._sessions._laid:  # as `make_room` does
        chunk.data = None
    one._sessions._clear_desk()
    found = ask(one, "continuous")
    assert (found.tokens_reused, found.exactness) == (0, "cold")
    one.close()


def test_a_conversation_kept_losslessly_is_read_whatever_the_codec_is_now(folder: Path, vault: Vault) -> None:
    first = engine(folder, vault)
    ask(first)
    first.close()
    again = engine(folder, vault, codec="int4")
    found = ask(again)
    assert found.tokens_restored > 80
    again.close()


def test_by_command_it_is_fitted_and_a_worker_takes_it_up(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    monkeypatch.setenv("SAGE_STATE_DIR", str(state))
    levels = tmp_path / "levels.yaml"
    levels.write_text(
        f"levels:\n  - {{name: a, model: {folder}, device: cpu, dtype: float32, context: 400, max_new_tokens: 8}}\n"
    )
    texts = tmp_path / "texts.jsonl"
    texts.write_text("\n".join(json.dumps({"text": "the cup is in the hall . " * (20 + n)}) for n in range(6)))
    done = CliRunner().invoke(kv, ["fit", "a", "--text", str(texts), "--levels", str(levels), "--length", "128"])
    assert done.exit_code == 0, done.output
    assert "0.3 *" in done.output
    keys = Keys(HostIdentity.load(state))
    vault = Vault(state / "kv", keys, budget=1 << 30)
    one = engine(folder, vault, codec="learned")
    one.load()
    assert ask(one).tokens_computed == 90
    one.close()
    vault.close()
