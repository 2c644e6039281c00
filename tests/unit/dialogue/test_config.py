"""The configurations that ship say what can be meant; what cannot is refused with its place."""

from pathlib import Path

import pytest

from nodes.dialogue.config import DialogueConfig, LevelConfig, load, load_trust
from protocol.errors import ConfigError


@pytest.mark.parametrize("shipped", ["configs/dialogue.yaml", "configs/dialogue.qwen.yaml"])
def test_what_ships_loads(shipped: str) -> None:
    loaded = load(shipped)
    assert [level.worker for level in loaded.levels] == [
        "model_worker/sensory",
        "model_worker/tactical",
        "model_worker/specialized",
    ]
    assert set(loaded.stop_patterns) <= {"stop"}
    assert load_trust().prior.spreads["cluster"] > 0


def test_a_level_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="'a' is given twice"):
        DialogueConfig(levels=(LevelConfig(name="a", cost=1), LevelConfig(name="a", cost=2)))


def test_a_wrong_key_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "dialogue.yaml"
    path.write_text("levels:\n  - {name: a, cost: 1.0, accept: 0.5}\n")
    with pytest.raises(ConfigError, match=r"dialogue.yaml:2: .*did you mean 'accept_at'"):
        load(str(path))


def test_a_file_that_is_nowhere_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        load("configs/nowhere.yaml")
