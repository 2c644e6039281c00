"""What is in force follows its file, and never becomes less than it was."""

import os
from pathlib import Path

import pytest

from nodes.dialogue.patterns.accepted import AcceptedPatterns, pattern_of
from nodes.dialogue.patterns.force import InForce
from protocol.errors import ConfigError
from runtime.sealing import Sealer

SEALER = Sealer(bytes(32), "patterns")
GREET = "{name: greet, phrases: [hi], answer: Hello., positive: [hi], negative: [ho]}"
BYE = "{name: bye, phrases: [bye], answer: Bye., positive: [bye], negative: [buy]}"


@pytest.fixture
def accepted(tmp_path: Path) -> AcceptedPatterns:
    return AcceptedPatterns(tmp_path / "patterns", SEALER)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "patterns.yaml"
    write(path, GREET)
    return path


def write(path: Path, *patterns: str) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(f"patterns: [{', '.join(patterns)}]\n")
    os.replace(beside, path)


def learn(accepted: AcceptedPatterns, force: InForce, question: str, answer: str, name: str = "learned-0a"):
    pattern = pattern_of(name, question, answer, force.patterns)
    return accepted.put(pattern, by="eva", at_ns=1, grounds="shown")


def answer(force: InForce, text: str) -> str:
    found = force.patterns.match(text)
    return "" if found is None else "".join(map(str, found.pieces))


def test_a_changed_file_comes_into_force_and_an_unchanged_one_is_not_read(file: Path, accepted) -> None:
    force = InForce(file, accepted)
    assert not force.refresh()
    write(file, GREET, BYE)
    assert answer(force, "bye") == ""
    assert force.refresh()
    assert answer(force, "bye") == "Bye."
    assert not force.refresh()
    assert force.reads == 2


@pytest.mark.parametrize("broken", ["patterns: [", "patterns: [{name: x}]", "pattern: []", GREET.replace("ho]", "hi]")])
def test_a_broken_file_leaves_the_old_patterns_in_force_and_is_named(file: Path, accepted, broken: str) -> None:
    force = InForce(file, accepted)
    file.write_text(broken if broken.startswith("pattern") else f"patterns: [{broken}]\n")
    assert force.refresh()
    assert answer(force, "hi") == "Hello."
    assert str(file) in force.problem
    assert force.stats()["refused"] == 1
    assert not force.refresh()
    write(file, BYE)
    assert force.refresh()
    assert force.problem == ""
    assert (answer(force, "hi"), answer(force, "bye")) == ("", "Bye.")


def test_a_file_that_is_gone_leaves_the_old_patterns_in_force(file: Path, accepted) -> None:
    force = InForce(file, accepted)
    file.unlink()
    assert force.refresh()
    assert answer(force, "hi") == "Hello."
    assert "patterns.yaml" in force.problem


def test_there_is_nothing_to_begin_with_where_the_first_file_is_broken(file: Path, accepted) -> None:
    file.write_text("patterns: [")
    with pytest.raises(ConfigError):
        InForce(file, accepted)


def test_a_learned_pattern_lies_sealed_in_a_file_of_its_own_and_outlives_a_restart(
    file: Path, accepted, tmp_path: Path
) -> None:
    force = InForce(file, accepted)
    learn(accepted, force, "who made you", "Some {people} did.")
    assert force.refresh()
    assert answer(force, "Who made you?") == "Some {people} did."
    (path,) = (tmp_path / "patterns").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"people" not in path.read_bytes()
    again = InForce(file, AcceptedPatterns(tmp_path / "patterns", SEALER))
    assert answer(again, "who made you") == "Some {people} did."
    assert "who made you" not in again.patterns.phrases


def test_the_latest_version_is_in_force_and_removing_forgets_them_all(file: Path, accepted) -> None:
    force = InForce(file, accepted)
    assert learn(accepted, force, "who made you", "Tom did.").version == 1
    assert learn(accepted, force, "who made you", "Eva did.").version == 2
    force.refresh()
    assert answer(force, "who made you") == "Eva did."
    assert accepted.remove("learned-0a") == 2
    assert force.refresh()
    assert answer(force, "who made you") == ""


def test_a_learned_pattern_that_contradicts_the_file_is_set_aside_and_the_others_stay(file: Path, accepted) -> None:
    force = InForce(file, accepted)
    learn(accepted, force, "bye", "So long.", "learned-0a")
    learn(accepted, force, "who made you", "Tom did.", "learned-0b")
    force.refresh()
    write(file, GREET, BYE)
    force.refresh()
    assert answer(force, "bye") == "Bye."
    assert answer(force, "who made you") == "Tom did."
    assert "sage patterns remove learned-0a" in force.problem
    assert "bye" not in force.problem


def test_a_file_that_does_not_open_is_named_and_costs_nothing_else(file: Path, accepted, tmp_path: Path) -> None:
    force = InForce(file, accepted)
    learn(accepted, force, "who made you", "Tom did.")
    (path,) = (tmp_path / "patterns").iterdir()
    path.rename(path.with_name("learned-0b.1.pattern"))
    force.refresh()
    assert answer(force, "hi") == "Hello."
    assert "sage patterns remove learned-0b" in force.problem


def test_examples_are_made_of_what_is_learned_and_hold(file: Path, accepted) -> None:
    force = InForce(file, accepted)
    pattern = pattern_of("learned-0a", "who made you", "Tom did.", force.patterns)
    assert len(pattern.positive) >= 3
    assert len(pattern.negative) >= 5
    with pytest.raises(ValueError, match="lower-case words"):
        pattern_of("learned-0a", "who made 2", "Tom did.", force.patterns)
