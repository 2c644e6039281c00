"""`sage models` without a model loaded."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from experiments.reference.commands import models
from experiments.reference.family import SIZES


def ran(*arguments: str):
    return CliRunner().invoke(models, arguments)


def test_list_gives_one_record_for_every_size():
    lines = [json.loads(line) for line in ran("list", "--json").output.splitlines()]
    assert [line["size"] for line in lines] == list(SIZES)
    assert ran("list").exit_code == 0


def test_info_shows_figures_with_their_intervals():
    record = json.loads(ran("info", "tactical", "--json").output)
    figure = record["figures"]["skills"]["belonging/2"]
    assert figure["low"] <= figure["share"] <= figure["high"]
    assert "belonging/2" in ran("info", "tactical").output


def test_verify_finds_the_weights_intact():
    result = ran("verify", "--json")
    assert json.loads(result.output)["intact"] is True
    assert result.exit_code == 0


def test_an_unknown_size_is_refused():
    assert ran("info", "huge").exit_code == 2


@pytest.mark.parametrize("size", SIZES)
def test_a_folder_without_models_is_refused_by_its_name(size: str, tmp_path: Path):
    pytest.importorskip("torch")
    (tmp_path / size).mkdir()
    result = ran("evaluate", "--size", size, "--weights", str(tmp_path), "--quick")
    assert result.exit_code == 1
    assert f"{tmp_path / size}: holds no model that loads" in result.stderr


def test_training_where_nothing_can_be_written_is_refused_by_its_place(tmp_path: Path):
    pytest.importorskip("torch")
    (tmp_path / "file").write_text("")
    result = ran("train-reference", "--size", "sensory", "--out", str(tmp_path / "file" / "below"), "--stop-after", "1")
    assert result.exit_code == 2
    assert str(tmp_path / "file" / "below") in result.stderr


@pytest.mark.parametrize("module", ["commands", "verifiers", "speech"])
def test_what_the_system_reaches_imports_no_torch(module: str):
    code = f"import sys, experiments.reference.{module}; print('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
