from __future__ import annotations

import json
from pathlib import Path

import pytest

from nodes.dream_consolidator.adapters.registry import Adapters
from nodes.model_worker.errors import ModelIncomplete
from protocol.errors import ConfigError
from protocol.messages.dream import Adapter


def candidate(path: Path, weights: bytes) -> Path:
    path.mkdir(parents=True)
    (path / "config.json").write_text('{"architectures": ["Qwen2ForCausalLM"]}')
    (path / "tokenizer.json").write_text("{}")
    (path / "model.safetensors").write_bytes(weights)
    return path


@pytest.fixture
def adapters(tmp_path: Path) -> Adapters:
    return Adapters(tmp_path / "adapters")


def folders(adapters: Adapters) -> set[str]:
    return {path.name for path in adapters.root.iterdir() if path.is_dir()}


def test_before_any_promotion_every_level_has_its_base_model(adapters: Adapters) -> None:
    assert adapters.current("sensory") == Adapter(level="sensory")
    assert adapters.all() == []


def test_promoted_weights_lie_under_their_digest_and_are_in_force(adapters: Adapters, tmp_path: Path) -> None:
    made = candidate(tmp_path / "candidate", b"one")
    current = adapters.promote(made, "sensory", base_version="base", dream="d1")
    assert not made.exists()
    assert (Path(current.path) / "model.safetensors").read_bytes() == b"one"
    assert Path(current.path).name == current.digest
    assert Adapters(adapters.root).current("sensory") == current
    assert (current.base_version, current.dream) == ("base", "d1")


def test_the_previous_weights_stay_and_older_ones_go(adapters: Adapters, tmp_path: Path) -> None:
    digests = [
        adapters.promote(
            candidate(tmp_path / f"c{number}", bytes([number])), "sensory", base_version="b", dream=f"d{number}"
        ).digest
        for number in range(3)
    ]
    other = adapters.promote(candidate(tmp_path / "other", b"other"), "tactical", base_version="b", dream="d9")
    assert folders(adapters) == {digests[1], digests[2], other.digest}
    assert [each.level for each in adapters.all()] == ["sensory", "tactical"]


def test_the_same_weights_again_are_not_stored_twice(adapters: Adapters, tmp_path: Path) -> None:
    first = adapters.promote(candidate(tmp_path / "a", b"same"), "sensory", base_version="b", dream="d1")
    again = adapters.promote(candidate(tmp_path / "b", b"same"), "sensory", base_version="b", dream="d2")
    assert (again.digest, again.dream) == (first.digest, "d2")
    assert folders(adapters) == {first.digest}
    assert not (tmp_path / "b").exists()


def test_a_folder_that_is_no_model_changes_nothing(adapters: Adapters, tmp_path: Path) -> None:
    broken = candidate(tmp_path / "c", b"x")
    (broken / "model.safetensors").unlink()
    with pytest.raises(ModelIncomplete):
        adapters.promote(broken, "sensory", base_version="b", dream="d")
    assert adapters.all() == []


def test_a_pointer_that_cannot_be_read_is_named(adapters: Adapters) -> None:
    (adapters.root / "current.json").write_text(json.dumps({"sensory": 3}))
    with pytest.raises(ConfigError, match="does not say which learned weights are in force"):
        adapters.current("sensory")
