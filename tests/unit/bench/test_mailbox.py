"""The benchmark itself, once through: a real hub and real ends of mailboxes."""

import json

from click.testing import CliRunner

from runtime.bench.commands import bench
from runtime.mailbox import bench as measured


def test_it_measures_both_ways_and_leaves_nothing(tmp_path, monkeypatch):
    shared = tmp_path / "shm"
    monkeypatch.setenv("SAGE_SHM_DIR", str(shared))
    monkeypatch.setattr(measured, "QUICK_ROUNDS", 1)
    monkeypatch.setattr(measured, "QUICK_LETTERS", 50)
    result = CliRunner().invoke(bench, ["mailbox", "--quick", "--json", "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.stderr
    record = json.loads(result.stdout.splitlines()[-1])
    figures = record["figures"]
    assert min(figures["mailbox_ms"], figures["hub_ms"], figures["letters_of_64_KiB_per_s"]) > 0
    assert figures["hub_events_lost"] == 0
    assert [goal["id"] for goal in record["goals"]] == ["faster"]
    assert list(shared.iterdir()) == []
