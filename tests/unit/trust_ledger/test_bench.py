import json

import pytest
from click.testing import CliRunner

from nodes.trust_ledger import bench
from nodes.trust_ledger.commands import bench_ledger


def test_the_benchmark_ends_in_a_record_with_its_goals(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setattr(bench, "BATCH", 8)
    monkeypatch.setattr(bench, "ROUNDS", 1)
    ran = CliRunner().invoke(bench_ledger, ["--quick", "--json", "--out", str(tmp_path / "out")])
    assert ran.exit_code == 0, ran.output
    record = json.loads(ran.stdout.splitlines()[-1])
    assert [goal["id"] for goal in record["goals"]] == ["durable", "verify"]
    assert record["figures"]["entries"]["in batches"] == 40
    assert len((tmp_path / "out" / "raw.jsonl").read_text().splitlines()) == 5 + 100 + 3
