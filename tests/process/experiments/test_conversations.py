"""Two conversations through all processes of two systems."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_conversations_end_in_a_record_and_a_report_and_everything_is_answered(tmp_path) -> None:
    told = ["--count", "2", "--json", "--out", str(tmp_path), "--seed", "3"]
    command = [sys.executable, "-m", "runtime.cli", "experiment", "conversations", *told]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout.splitlines()[-1])
    figures = record["figures"]
    assert (figures["conversations"], figures["unanswered"]) == (2, 0)
    assert figures["ledger"]["problems"] == []
    assert len((tmp_path / "raw.jsonl").read_bytes().splitlines()) == figures["turns"]
    assert "## How long people waited" in (tmp_path / "report.md").read_text()
    assert (tmp_path / "latency.png").exists()
