"""What `sage check` says of a configuration of the metabolism."""

from pathlib import Path

import pytest

from nodes.metabolic_controller.checks import METABOLISM
from runtime import config as files
from runtime import paths

SHIPPED = Path(paths.shipped("configs/metabolism.yaml")).read_text()


def examined(tmp_path: Path, old: str = "", new: str = "") -> list[tuple[str, str]]:
    assert old in SHIPPED
    file = tmp_path / "metabolism.yaml"
    file.write_text(SHIPPED.replace(old, new, 1))
    return [(each.level, each.message) for each in METABOLISM.examine(files.load(file, METABOLISM.type))]


def test_of_what_ships_it_is_said_how_much_was_searched(tmp_path: Path):
    ((level, message),) = examined(tmp_path)
    assert level == "note"
    assert message.startswith("searched 97200 inputs in 972000 steps and 600 configurations of a life in ")


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("enter_atp: 65", "enter_atp: 105", "focus.enter_atp and dream.enter_atp must not exceed energy.capacity"),
        (
            "rouse_salience: 0.8",
            "rouse_salience: 1.0",
            "rest.rouse_salience and night.rouse_salience must not exceed 0.9",
        ),
        ("leave_salience: 0.4", "leave_salience: 0.9", "focus.leave_salience must be below focus.enter_salience"),
        ("REST: {income: 6.0", "REST: {income: 0.1", "energy.rates.REST must have more income than base load"),
    ],
)
def test_a_broken_one_is_refused_by_the_rule_it_breaks(tmp_path: Path, old: str, new: str, rule: str):
    found = examined(tmp_path, old, new)
    assert {level for level, _ in found} == {"error"}
    assert any(message.startswith(rule) for _, message in found), found


def test_what_only_the_search_finds_is_named_by_its_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("nodes.metabolic_controller.checks.misordered", lambda _settings: [])
    found = examined(tmp_path, "enter_atp: 65", "enter_atp: 105")
    assert any(message.startswith("unreachable: DREAM is never reached") for _, message in found)
