"""`sage check`, with checks of our own in the place of those that packages register."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from runtime.launch.commands import check
from runtime.launch.findings import Finding
from runtime.launch.plan import Plan


@pytest.fixture
def findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """What the one registered check will find."""
    found: list[Finding] = []

    def examine(plan: Plan) -> list[Finding]:
        assert plan.processes
        return found

    monkeypatch.setenv("SAGE_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("SAGE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr("runtime.launch.commands.plugins.load_all", lambda _group: {"ours": examine})
    return found


def test_a_good_file_is_said_to_be_good(findings: list[Finding]) -> None:
    result = CliRunner().invoke(check, ["local", "--set", "voice=false"])
    assert result.exit_code == 0
    assert "launch/local.yaml: 9 processes: hub, " in result.stdout


def test_every_host_is_checked_unless_one_is_named(findings: list[Finding]) -> None:
    both = CliRunner().invoke(check, ["pair", "--json"])
    wholes = [record for record in map(json.loads, both.stdout.splitlines()) if "nodes" in record]
    assert [whole["host"] for whole in wholes] == ["jetson", "legion"]
    one = CliRunner().invoke(check, ["pair", "--host", "legion"])
    assert "as legion" in one.stdout
    assert "as jetson" not in one.stdout


def test_an_error_that_a_check_finds_is_exit_code_1(findings: list[Finding]) -> None:
    findings += [Finding("warning", "it is tight", "a.yaml:1")]
    assert CliRunner().invoke(check, []).exit_code == 0
    findings += [Finding("error", "it does not fit", "a.yaml:2")]
    result = CliRunner().invoke(check, [])
    assert result.exit_code == 1
    assert "error a.yaml:2: it does not fit" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nope.yaml"], "there is no such launch file"),
        (["--set", "voice"], "'voice' is not NAME=VALUE"),
        (["--set", "voice=maybe"], "--set voice: voice: 'maybe' is not of type bool"),
        (["pair", "--host", "mars"], "there is no host 'mars'"),
    ],
)
def test_what_cannot_be_understood_is_exit_code_2(findings: list[Finding], arguments: list[str], expected: str) -> None:
    result = CliRunner().invoke(check, arguments)
    assert result.exit_code == 2
    assert expected in result.stderr
