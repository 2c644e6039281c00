import json
import shutil
from pathlib import Path

import msgspec
import pytest
import torch

from nodes.model_worker import loading
from nodes.model_worker.errors import ModelIncomplete, ModelMemory, ModelMissing, ModelUnfit
from nodes.model_worker.levels import Level
from tests.unit.model_worker import tiny


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def test_a_folder_loads_ready_to_answer(level: Level) -> None:
    loaded = loading.load(level)
    assert not loaded.model.training
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())
    assert torch.get_num_threads() == 1
    assert (loaded.device, loaded.dtype, loaded.state.layers) == ("cpu", "float32", 2)
    assert loaded.weight_bytes == 4 * loaded.parameters
    assert loaded.state.per_token == 2 * 2 * 2 * 8 * 4
    assert loaded.stop_ids == {2}
    assert loaded.fingerprint.keys() == {"weights", "config", "tokenizer", "template", "dtype"}


def test_the_dtype_asked_for_is_the_dtype_it_runs_in(level: Level) -> None:
    half = loading.load(msgspec.structs.replace(level, dtype="bfloat16"))
    assert half.model.dtype == torch.bfloat16
    assert half.weight_bytes == 2 * half.parameters
    assert half.version != loading.load(level).version


def test_a_hub_id_that_is_not_here_is_not_fetched(level: Level) -> None:
    absent = msgspec.structs.replace(level, model="nobody-has/this-model")
    with pytest.raises(ModelMissing, match="download: true"):
        loading.load(absent)


def test_a_hub_id_that_was_fetched_before_is_found_without_the_network(
    level: Level, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    commit = "0" * 40
    repository = tmp_path / "models--some--model"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    shutil.copytree(folder, repository / "snapshots" / commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    loaded = loading.load(msgspec.structs.replace(level, model="some/model"))
    assert loaded.folder == repository / "snapshots" / commit


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_that_is_not_there_is_refused(level: Level) -> None:
    with pytest.raises(ModelUnfit, match="no such device"):
        loading.load(msgspec.structs.replace(level, device="cuda"))


def test_truncated_weights_are_refused(level: Level, copy: Path) -> None:
    data = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelIncomplete, match="does not load"):
        loading.load(level, copy)


def test_weights_that_are_missing_are_not_made_up(level: Level, copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    config |= {"num_hidden_layers": 3, "layer_types": ["full_attention"] * 3}
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelIncomplete, match=r"lacks 12 weights .* model\.layers\.2\."):
        loading.load(level, copy)


def test_a_broken_tokenizer_is_named(level: Level, copy: Path) -> None:
    (copy / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelIncomplete, match="its tokenizer does not load"):
        loading.load(level, copy)


def test_an_architecture_nobody_knows_is_named(level: Level, copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text()) | {"model_type": "abacus"}
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelIncomplete, match="abacus"):
        loading.load(level, copy)


def test_sliding_windows_are_refused_by_name(level: Level, tmp_path: Path) -> None:
    windowed = tiny.save(tmp_path, use_sliding_window=True, sliding_window=16, max_window_layers=1)
    with pytest.raises(ModelUnfit, match="DynamicSlidingWindowLayer"):
        loading.load(level, windowed)


def test_a_model_larger_than_memory_is_refused_before_it_is_read(level: Level, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "available_memory", lambda: 1000)
    with pytest.raises(ModelMemory, match="0 MiB are free"):
        loading.load(level)
