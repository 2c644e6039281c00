"""Training repeats exactly, also across a stop; nothing of a killed run is left half written."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from experiments.reference import train
from experiments.reference.batches import STEP_TOKENS
from experiments.reference.courses import COURSES
from protocol.errors import ConfigError

RUN = "sys.exit(train.main(sys.argv[1:]))"
SETTINGS = train.Settings("sensory", tokens=3 * STEP_TOKENS)


def silent(_: train.Progress) -> None:
    pass


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights_also_across_a_stop(tmp_path: Path):
    assert train.train(SETTINGS, tmp_path / "whole", silent)
    assert not train.train(SETTINGS, tmp_path / "parts", silent, train.Conduct(stop_after=2))
    assert train.train(SETTINGS, tmp_path / "parts", silent)
    whole, parts = (tmp_path / name / "model.safetensors" for name in ("whole", "parts"))
    assert whole.read_bytes() == parts.read_bytes()
    assert (tmp_path / "whole" / train.LOG).read_bytes() == (tmp_path / "parts" / train.LOG).read_bytes()


@pytest.mark.slow
def test_a_training_that_was_killed_goes_on_to_the_same_weights(tmp_path: Path):
    command = f"import sys; from experiments.reference import train; train.CHECKPOINT_SECONDS = 0; {RUN}"
    arguments = [sys.executable, "-c", command, "--size", "sensory", "--tokens", str(6 * STEP_TOKENS)]
    subprocess.run([*arguments, "--out", tmp_path / "whole"], check=True, capture_output=True)
    parts = subprocess.Popen([*arguments, "--out", tmp_path / "parts"], stdout=subprocess.DEVNULL)
    while not (tmp_path / "parts" / train.CHECKPOINT).exists() and parts.poll() is None:
        time.sleep(0.01)
    parts.kill()
    assert parts.wait() == -signal.SIGKILL
    subprocess.run([*arguments, "--out", tmp_path / "parts"], check=True, capture_output=True)
    whole, parted = (tmp_path / name / "model.safetensors" for name in ("whole", "parts"))
    assert whole.read_bytes() == parted.read_bytes()


@pytest.mark.slow
def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path):
    train.train(SETTINGS, tmp_path, silent, train.Conduct(stop_after=1))
    with pytest.raises(ConfigError, match="seed"):
        train.train(replace(SETTINGS, seed=2), tmp_path, silent)


@pytest.mark.slow
def test_a_finished_training_is_left_alone(tmp_path: Path):
    train.train(SETTINGS, tmp_path, silent)
    before = (tmp_path / "model.safetensors").stat().st_mtime_ns
    assert train.train(SETTINGS, tmp_path, silent)
    assert (tmp_path / "model.safetensors").stat().st_mtime_ns == before
    with pytest.raises(ConfigError, match="already finished"):
        train.train(replace(SETTINGS, seed=2), tmp_path, silent)


@pytest.mark.parametrize("junk", [b"", b"junk" * 100])
def test_a_broken_checkpoint_is_named_and_left_alone(tmp_path: Path, junk: bytes):
    place = tmp_path / train.CHECKPOINT
    place.write_bytes(junk)
    with pytest.raises(ConfigError, match="no checkpoint"):
        train.train(SETTINGS, tmp_path, silent)
    assert place.read_bytes() == junk


@pytest.mark.slow
def test_each_course_begins_from_the_one_before_and_repeats(tmp_path: Path):
    before: Path | None = None
    for course in COURSES:
        settings = replace(SETTINGS, course=course)
        for name in (course, f"{course} again"):
            assert train.train(settings, tmp_path / name, silent, train.Conduct(base=before))
        one, two = (tmp_path / name / "model.safetensors" for name in (course, f"{course} again"))
        assert one.read_bytes() == two.read_bytes()
        assert before is None or one.read_bytes() != (before / "model.safetensors").read_bytes()
        before = tmp_path / course
    assert before is not None
    origin = json.loads((before / train.ORIGIN).read_text())
    assert origin["base"]["base"]["tokens"] == SETTINGS.tokens
    assert {log.name for log in train.logs(before)} == {
        "first_training_log.jsonl",
        "revision_training_log.jsonl",
        "finish_training_log.jsonl",
        "polish_training_log.jsonl",
        train.LOG,
    }
    assert (before / "first_training_log.jsonl").read_bytes() == (tmp_path / "first" / train.LOG).read_bytes()


def test_each_course_begins_where_it_must(tmp_path: Path):
    out = tmp_path / "out"
    revision = replace(SETTINGS, course="revision")
    with pytest.raises(ConfigError, match="begins from what the first course left"):
        train.train(revision, out, silent)
    with pytest.raises(ConfigError, match="begins from nothing"):
        train.train(SETTINGS, out, silent, train.Conduct(base=tmp_path))
    with pytest.raises(ConfigError, match="no finished training"):
        train.train(revision, out, silent, train.Conduct(base=tmp_path))
    (tmp_path / train.ORIGIN).write_text(json.dumps({"course": "revision"}))
    with pytest.raises(ConfigError, match="this is what the revision course left"):
        train.train(revision, out, silent, train.Conduct(base=tmp_path))
    assert not out.exists()


def test_the_rate_rises_stays_and_falls_to_zero():
    settings = replace(SETTINGS, tokens=1000 * STEP_TOKENS, rate=1.0)
    rates = [train.learning_rate(settings, step) for step in range(settings.steps)]
    assert rates[0] < 0.1
    assert rates[100] == rates[499] == 1.0
    assert rates[750] == pytest.approx(0.5)
    assert rates[-1] == pytest.approx(0.002)
    assert max(rates) == 1.0
