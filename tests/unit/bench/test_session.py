import io
import json
import time

import click
import pytest
from click.testing import CliRunner

from protocol.errors import ConfigError
from runtime.bench.record import at_most
from runtime.bench.session import EXIT_FAILED, EXIT_TIMEOUT, Outcome, Progress, Session, measured


def command(work):
    @click.command()
    @measured("thing")
    @click.option("--own", default=1)
    def thing(session: Session, own: int) -> Outcome:
        """Measure a thing."""
        return work(session, own)

    return thing


def found(session, own):
    progress = session.progress(2)
    for step in range(2):
        session.raw(step=step, own=own)
        progress.advance(1, f"step {step}")
    session.file("plot.svg", b"<svg/>")
    goals = [at_most("fast", "fast enough", target=1.0, measured=2.0)]
    return Outcome(
        figures={"own": own, "seed": session.seed}, goals=goals, packages=("msgspec",), environment={"weights": "f00"}
    )


def test_json_ends_in_the_record_after_rows_of_progress():
    result = CliRunner().invoke(command(found), ["--json", "--seed", "7", "--own", "5"])
    assert result.exit_code == 0
    *rows, last = [json.loads(line) for line in result.stdout.splitlines()]
    assert all(set(row) == {"progress"} for row in rows)
    assert rows[-1]["progress"]["percent"] == 100
    assert list(last) == ["name", "environment", "figures", "goals"]
    assert last["name"] == "thing"
    assert last["figures"] == {"own": 5, "seed": 7}
    assert last["environment"]["versions"]["msgspec"]
    assert last["environment"]["weights"] == "f00"
    assert last["goals"] == [
        {"id": "fast", "statement": "fast enough", "target": 1.0, "measured": 2.0, "met": False},
    ]


def test_without_json_the_report_is_shown():
    result = CliRunner().invoke(command(found), [])
    assert result.exit_code == 0
    assert "| fast enough | 1 | 2 | not met |" in result.stdout


def test_out_holds_report_record_raw_rows_and_plots(tmp_path):
    out = tmp_path / "deep" / "down"
    assert CliRunner().invoke(command(found), ["--out", str(out)]).exit_code == 0
    assert sorted(path.name for path in out.iterdir()) == ["plot.svg", "raw.jsonl", "record.json", "report.md"]
    rows = [json.loads(line) for line in (out / "raw.jsonl").read_text().splitlines()]
    assert rows == [{"step": 0, "own": 1}, {"step": 1, "own": 1}]
    assert json.loads((out / "record.json").read_text())["name"] == "thing"


def test_what_cannot_run_says_why_and_fails():
    def refuse(session, own):
        raise ConfigError("no such thing", place="here")

    result = CliRunner().invoke(command(refuse), [])
    assert result.exit_code == EXIT_FAILED
    assert result.stderr == "here: no such thing\n"


def test_what_takes_too_long_is_interrupted():
    def dawdle(session, own):
        until = time.monotonic() + 60
        while time.monotonic() < until:
            pass

    result = CliRunner().invoke(command(dawdle), ["--timeout", "50ms"])
    assert result.exit_code == EXIT_TIMEOUT
    assert "longer than 0.05 s" in result.stderr


@pytest.mark.parametrize("text", ["3", "soon"])
def test_a_timeout_without_a_unit_is_refused(text):
    result = CliRunner().invoke(command(found), ["--timeout", text])
    assert result.exit_code == 2
    assert "a duration such as" in result.stderr


def test_progress_tells_percent_rate_and_time_left():
    now = [100.0]
    out = io.StringIO()
    progress = Progress(10, out=out, rows=True, clock=lambda: now[0])
    now[0] += 4
    progress.advance(2, "first")
    assert json.loads(out.getvalue()) == {
        "progress": {"what": "first", "percent": 20.0, "per_s": 0.5, "left_s": 16.0},
    }


def test_progress_is_shown_now_and_then_but_always_at_the_end():
    now = [0.0]
    out = io.StringIO()
    progress = Progress(3, out=out, rows=True, clock=lambda: now[0])
    for step in range(3):
        now[0] += 0.1
        progress.advance(1, f"{step}")
    shown = [json.loads(line)["progress"]["what"] for line in out.getvalue().splitlines()]
    assert shown == ["0", "2"]
