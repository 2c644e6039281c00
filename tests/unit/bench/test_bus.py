"""The benchmark itself, once through with a handful of messages: real hub, real nodes, the real floor."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from runtime.bench import bus
from runtime.bench.commands import bench

TINY = bus.Plan(
    rounds=2, events=20, calls=5, trials=2, block_trials=1, trial_s=0.02, flood=30_000, rates_of_peers=False
)


@pytest.fixture
def record(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(bus, "QUICK", TINY)
    result = CliRunner().invoke(bench, ["bus", "--quick", "--json", "--seed", "4", "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def test_it_measures_every_figure_and_leaves_no_process(record, tmp_path):
    figures = record["figures"]
    for name in ("event_us_p50", "event_us_p99", "call_us_p50", "call_us_p99", "mb_per_s"):
        assert figures[name] > 0, name
    assert figures["event_us_p50"] <= figures["event_us_p99"]
    assert figures["floor_blocking"]["event_us_p50"] > 0
    assert figures["event_us_p50_ratio"]["floor_asyncio"]["rounds"] == TINY.rounds - 1
    assert set(figures["absent"]) == {"dora", "zenoh"}
    assert [goal["id"] for goal in record["goals"]] == [
        "event_vs_dora",
        "event_vs_floor",
        "events_per_s",
        "losses_counted",
    ]
    # However slow this machine is just now, what is lost is counted.
    assert figures["flood"]["sent"] == TINY.flood
    assert figures["flood"]["unaccounted"] == 0
    rows = [json.loads(line) for line in (tmp_path / "out" / "raw.jsonl").read_text().splitlines()]
    assert {row["what"] for row in rows} == {"event_us", "call_us", "rate", "flood"}
    assert not [line for line in our_children() if "runtime." in line]


def our_children() -> list[str]:
    """Command lines of this process's children."""
    pids = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [Path(f"/proc/{pid}/cmdline").read_text() for pid in pids]
