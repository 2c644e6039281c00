"""What calibration wrote is read back, checked, and tells what an answer costs."""

from pathlib import Path

import msgspec
import pytest

from runtime.power import costs
from runtime.power.costs import Cost, Costs, CostsError, CostsFile, LevelCosts

LEVEL = LevelCosts(
    model="m",
    version="v",
    device="cpu",
    source="cpu",
    measured_ns=1,
    load=Cost(cpu_s=2.0),
    answer=Cost(cpu_s=0.1),
    prefill=Cost(cpu_s=4.0),
    decode=Cost(cpu_s=20.0),
    characters_per_token=4.0,
    max_new_tokens=100,
)


def test_an_answer_costs_its_tokens_and_what_every_answer_costs():
    assert LEVEL.of_answer(characters=2000, new_tokens=50).cpu_s == pytest.approx(0.1 + 2.0 + 1.0)
    assert LEVEL.of_answer(characters=0).cpu_s == pytest.approx(0.1 + 2.0)


def test_what_was_written_is_read_again(tmp_path: Path):
    path = tmp_path / costs.FILE
    assert costs.load(path) == Costs()
    written = Costs(levels={"sensory": LEVEL})
    costs.save(path, written)
    assert costs.load(path) == written


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense", "is not what `sage calibrate` writes"),
        ('{"schema": 3, "levels": 3}', "was written by a newer program"),
        ('{"levels": {}}', "missing required field `schema`"),
        ('{"schema": 1, "levels": {"s": {}}}', "is not what `sage calibrate` writes"),
        ('{"schema": 1, "levels": {}, "more": 1}', "unknown field `more`"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_a_remedy(tmp_path: Path, text: str, words: str):
    path = tmp_path / costs.FILE
    path.write_text(text)
    with pytest.raises(CostsError, match=words) as caught:
        costs.load(path)
    assert caught.value.place == str(path)
    assert "sage calibrate" in caught.value.remedy


def test_costs_below_nothing_are_refused(tmp_path: Path):
    path = tmp_path / costs.FILE
    written = msgspec.to_builtins(Costs(levels={"s": LEVEL}))
    written["levels"]["s"]["load"]["cpu_s"] = -1
    path.write_bytes(msgspec.json.encode(written))
    with pytest.raises(CostsError, match="which is no cost"):
        costs.load(path)


def test_a_reader_takes_up_what_changes_and_says_what_it_cannot_read(tmp_path: Path):
    path = tmp_path / costs.FILE
    file = CostsFile(path)
    assert (file.level("sensory"), file.problem) == (None, "")
    costs.save(path, Costs(levels={"sensory": LEVEL}))
    assert file.level("sensory") == LEVEL
    path.write_text("broken")
    assert file.level("sensory") is None
    assert "is not what" in file.problem
    path.unlink()
    assert (file.level("sensory"), file.problem) == (None, "")
