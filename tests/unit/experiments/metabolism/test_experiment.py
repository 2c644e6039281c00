import json

import pytest
from click.testing import CliRunner

from experiments.metabolism import experiment, variations
from experiments.metabolism.command import metabolism


@pytest.fixture
def short(monkeypatch):
    """One seed, one other world, one other machine."""
    monkeypatch.setattr(experiment, "QUICK_SEEDS", 1)
    worlds, machines = [*variations.worlds()], [*variations.machines()]
    monkeypatch.setattr(variations, "worlds", lambda: iter(worlds[:1]))
    monkeypatch.setattr(variations, "machines", lambda: iter(machines[-2:-1]))


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
