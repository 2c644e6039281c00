"""Training repeats exactly, also across a stop; nothing of a killed run is left half written."""

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from experiments.reference import train
from experiments.reference.batches import STEP_TOKENS
from protocol.errors import ConfigError

SETTINGS = train.Settings("sensory", tokens=3 * STEP_TOKENS)


def silent(_: train.Progress) -> None:
    pass


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights_also_across_a_stop(tmp_path: Path):
    assert train.train(SETTINGS, tmp_path / "whole", silent)
    assert not train.train(SETTINGS, tmp_path / "parts", silent, stop_after=2)
    assert train.train(SETTINGS, tmp_path / "parts", silent)
    whole, parts = (tmp_path / name / "model.safetensors" for name in ("whole", "parts"))
    assert whole.read_bytes() == parts.read_bytes()
    assert (tmp_path / "whole" / train.LOG).read_bytes() == (tmp_path / "parts" / train.LOG).read_bytes()


@pytest.mark.slow
def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path):
    train.train(SETTINGS, tmp_path, silent, stop_after=1)
    with pytest.raises(ConfigError, match="seed"):
        train.train(replace(SETTINGS, seed=2), tmp_path, silent)


def test_the_rate_rises_stays_and_falls_to_zero():
    settings = replace(SETTINGS, tokens=1000 * STEP_TOKENS, rate=1.0)
    rates = [train.learning_rate(settings, step) for step in range(settings.steps)]
    assert rates[0] < 0.1
    assert rates[100] == rates[499] == 1.0
    assert rates[750] == pytest.approx(0.5)
    assert rates[-1] == pytest.approx(0.002)
    assert max(rates) == 1.0
