"""Trainings through TRL, as far as they need no TRL."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from click.testing import CliRunner

from experiments.distillation import trl_trainer
from experiments.distillation.command import distillation


def test_a_python_without_trl_is_named_with_what_to_do() -> None:
    done = CliRunner().invoke(distillation, ["--quick", "--beside-trl", sys.executable])
    assert done.exit_code == 1
    assert f"{sys.executable}: has no trl" in done.output
    assert "pip install torch==2.13.0 trl" in done.output


def test_arms_and_days_have_no_place_beside_it() -> None:
    done = CliRunner().invoke(distillation, ["--beside-trl", sys.executable, "--days", "2"])
    assert done.exit_code == 2
    assert "leave --arm and --days out" in done.output


def test_what_runs_in_its_environment_imports_nothing_of_the_project() -> None:
    tree = ast.parse(Path(trl_trainer.__file__).read_text())
    imported = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not [name for name in imported if name.split(".")[0] in ("experiments", "nodes", "runtime", "protocol")]
