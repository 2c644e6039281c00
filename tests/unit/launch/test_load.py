"""The files that ship, and how a launch file is found."""

import os
import socket
from pathlib import Path

import pytest

from runtime.config import ConfigError
from runtime.launch import load


@pytest.fixture(autouse=True)
def directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAGE_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("SAGE_STATE_DIR", str(tmp_path / "state"))


@pytest.mark.parametrize(
    ("file", "host"), [("local", ""), ("jetson", ""), ("legion", ""), ("pair", "jetson"), ("pair", "legion")]
)
def test_shipped_files_begin_with_the_hub_and_end_with_dialogue(file: str, host: str) -> None:
    plan = load.load_plan(file, {}, host)
    names = [process.name for process in plan.processes]
    assert names[0] == "hub"
    assert {"model_worker/sensory", "model_worker/tactical", "metabolic_controller", "trust_ledger"} < set(names)
    dialogue = next(process for process in plan.processes if process.name == "dialogue")
    assert set(dialogue.after) <= set(names[: names.index("dialogue")])


def test_voice_and_dreams_can_be_left_out() -> None:
    names = [process.name for process in load.load_plan("local", {"voice": "false", "dreams": "false"}, "").processes]
    assert not {"audio_sensor", "speaker", "dream_consolidator"} & set(names)


def test_the_pair_divides_the_work() -> None:
    jetson = {process.name for process in load.load_plan("pair", {}, "jetson").processes}
    legion = {process.name for process in load.load_plan("pair", {}, "legion").processes}
    assert {"audio_sensor", "speaker"} <= jetson - legion
    assert {"model_worker/specialized", "dream_consolidator"} <= legion - jetson


def test_a_host_of_the_file_that_is_this_machine_need_not_be_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    name = "this_machine"
    file.write_text(f"hosts:\n  {name}:\n    nodes: {{a: {{command: [run]}}}}\n")
    if socket.gethostname() != name:
        with pytest.raises(ConfigError, match="say which of them this is"):
            load.load_plan(str(file), {}, "")
    assert load.load_plan(str(file), {}, name).host == name


def test_paths_and_names_are_found() -> None:
    assert load.find("").endswith("launch/local.yaml")
    assert load.find("jetson") == load.find("jetson.yaml") == load.find("launch/jetson.yaml")


def test_an_absolute_path_is_taken_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("nodes: {a: {command: [run]}}")
    assert load.find(os.fspath(file)) == os.fspath(file)


def test_an_unknown_file_offers_the_shipped_ones() -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'jetson'\? \(a path, or one of the shipped: jetson, legion"):
        load.find("jetsonn")


def test_an_unknown_registered_node_names_what_is_there() -> None:
    with pytest.raises(ConfigError, match="no package registers a node 'ears of steel'"):
        load.module_of("ears of steel")
