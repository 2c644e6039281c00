import json

import pytest
from click.testing import CliRunner

from experiments.metabolism import experiment, variations
from experiments.metabolism.command import metabolism
from nodes.metabolic_controller.config import MetabolismConfig, misordered
from runtime import config, paths


@pytest.fixture
def short(monkeypatch):
    """One seed, one other world, one other machine."""
    monkeypatch.setattr(experiment, "QUICK_DAYS", 1)
    worlds, machines = [*variations.worlds()], [*variations.machines()]
    monkeypatch.setattr(variations, "worlds", lambda: iter(worlds[:2]))
    monkeypatch.setattr(variations, "machines", lambda: iter([machines[0], machines[-2]]))


def test_it_ends_in_a_record_with_every_goal_its_tables_a_picture_and_the_digests_said_before(short, tmp_path):
    pytest.importorskip("matplotlib")
    done = CliRunner().invoke(metabolism, ["--quick", "--json", "--out", str(tmp_path)], catch_exceptions=False)
    assert done.exit_code == 0
    record = json.loads(done.stdout.splitlines()[-1])
    assert {goal["id"] for goal in record["goals"]} == {
        "served", "saved", "saved-work", "dreams", "dreams-own", "flaps", "roused",
    }  # fmt: skip
    rows = [json.loads(line) for line in (tmp_path / "raw.jsonl").read_text().splitlines()]
    assert rows[0]["sha256"] == record["figures"]["sha256"]
    assert all(value in done.stderr for value in rows[0]["sha256"].values())
    assert (tmp_path / "day.png").read_bytes().startswith(b"\x89PNG")
    report = (tmp_path / "report.md").read_text()
    assert all(heading in report for heading in ("The rivals", "What the figures hang on", "The forerunner's defects"))
    assert all(defect["gone"] for defect in record["figures"]["forerunner"].values())
    assert set(record["figures"]["rivals"]) == {"always awake", "by chance", "this machine"}


def test_a_course_that_there_is_not_is_named(short):
    done = CliRunner().invoke(metabolism, ["--quick", "--course", "year"])
    assert done.exit_code == 1
    assert "'year' is not one of day, week" in done.stderr


def test_a_machine_that_cannot_be_meant_is_refused(short, tmp_path):
    text = paths.shipped("configs/metabolism.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text.replace("leave_errors: 1 ", "leave_errors: 9 "))
    done = CliRunner().invoke(metabolism, ["--quick", "--config", str(tmp_path / "mine.yaml")])
    assert done.exit_code == 1
    assert "crisis.leave_errors must not exceed crisis.enter_errors" in done.stderr


def test_every_other_machine_could_be_meant():
    shipped = config.load(paths.shipped("configs/metabolism.yaml"), MetabolismConfig)
    wrong = {one.name: misordered(one.change(shipped)) for one in variations.machines()}
    assert not any(wrong.values()), wrong
