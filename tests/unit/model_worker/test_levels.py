from pathlib import Path

import pytest

from nodes.model_worker import levels
from nodes.model_worker.levels import settled_dtype, source
from protocol.errors import ConfigError
from runtime import paths

ONE = "levels:\n  - {name: small, model: /m, context: 64, max_new_tokens: 8%s}\n"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "levels.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("file", ["configs/levels.yaml", "configs/levels.qwen.yaml"])
def test_the_shipped_levels_rank_sensory_below_tactical_below_specialized(file: str) -> None:
    assert levels.load(file).names == ["sensory", "tactical", "specialized"]


def test_the_default_file_is_the_shipped_one() -> None:
    assert levels.load() == levels.load("configs/levels.yaml")


def test_sizes_carry_units_and_defaults_are_one_thread_without_download(tmp_path: Path) -> None:
    level = levels.load(written(tmp_path, ONE % ", state: 3MiB")).by_name("small")
    assert (level.state, level.threads, level.download) == (3 << 20, 1, False)


def test_an_unknown_level_is_refused_with_a_suggestion() -> None:
    with pytest.raises(ConfigError, match="did you mean 'tactical'"):
        levels.load().by_name("tactcal")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (ONE % ", devise: cpu", "devise"),
        (ONE % ", device: gpu", "device"),
        (ONE % ", threads: 0", "threads"),
        (ONE % ", state: 512", "state"),
        ("levels: []\n", "levels"),
        (ONE % "" + "  - {name: small, model: /n, context: 64, max_new_tokens: 8}\n", "twice"),
        (ONE.replace("small", "Small") % "", "name"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(ConfigError, match=place):
        levels.load(written(tmp_path, text))


def test_a_model_is_a_folder_of_its_own_or_below_the_install_or_a_hub_id(tmp_path: Path) -> None:
    install = paths.shipped("configs").parent
    assert source(str(tmp_path)) == tmp_path
    assert source("nodes/model_worker") == install / "nodes/model_worker"
    assert source("some/where/else") == install / "some/where/else"
    assert source("Qwen/Qwen2.5-0.5B-Instruct") == "Qwen/Qwen2.5-0.5B-Instruct"


@pytest.mark.parametrize(
    ("wanted", "stored", "device", "settled"),
    [
        ("auto", "bfloat16", "cpu", "bfloat16"),
        ("auto", "float16", "cpu", "float32"),
        ("auto", "float16", "cuda", "float16"),
        ("auto", "int8", "cuda", "float32"),
        ("bfloat16", "float32", "cpu", "bfloat16"),
    ],
)
def test_the_dtype_is_as_stored_where_the_device_is_fit_for_it(
    wanted: levels.DtypeName, stored: str, device: str, settled: str
) -> None:
    assert settled_dtype(wanted, stored, device) == settled
