"""`sage check`, with checks of our own in the place of those that packages register."""

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from runtime.launch.commands import check
from runtime.launch.findings import CHECKS, CONFIGS, ConfigKind, Finding
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
    groups = {CHECKS: {"ours": examine}, CONFIGS: {}}
    monkeypatch.setattr("runtime.launch.commands.plugins.load_all", groups.__getitem__)
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


class Kettle(msgspec.Struct, frozen=True, kw_only=True):
    litres: float
    whistle: bool


@pytest.fixture
def kettles(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one kind of configuration there is; more than two litres are too many."""

    def examine(kettle: Kettle) -> list[Finding]:
        return [Finding("error" if kettle.litres > 2 else "note", f"{kettle.litres} litres")]

    kinds = {"kettle": ConfigKind(Kettle, examine)}
    monkeypatch.setattr("runtime.launch.commands.plugins.load_all", lambda _group: kinds)
    monkeypatch.setattr("runtime.launch.commands.plugins.load", lambda _group, name: kinds[name])


@pytest.mark.parametrize(("litres", "code", "said"), [(1.5, 0, "nothing is wrong"), (2.5, 1, "1 errors")])
def test_a_configuration_is_told_by_its_keys_and_examined(
    kettles: None, tmp_path: Path, litres: float, code: int, said: str
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"litres: {litres}\nwhistle: true\n")
    result = CliRunner().invoke(check, [str(file)])
    assert result.exit_code == code
    assert result.stdout.startswith(f"{file}: a configuration of the kettle: {said}")
    assert f"{litres} litres" in result.stdout
    last = json.loads(CliRunner().invoke(check, [str(file), "--json"]).stdout.splitlines()[-1])
    assert last == {"file": str(file), "kind": "kettle", "errors": code}


def test_a_configuration_that_cannot_be_read_is_exit_code_2(kettles: None, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("litres: many\nwhistle: true\n")
    result = CliRunner().invoke(check, [str(file)])
    assert result.exit_code == 2
    assert "mine.yaml:1: litres:" in result.stderr


def test_a_file_of_other_keys_is_taken_for_a_launch_file(kettles: None, tmp_path: Path) -> None:
    file = tmp_path / "other.yaml"
    file.write_text("whistle: true\nspout: true\nlid: true\n")
    assert CliRunner().invoke(check, [str(file)]).exit_code == 2


def test_the_configuration_that_a_node_of_the_plan_would_read_is_read(
    findings: list[Finding], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "kettle.yaml"
    broken.write_text("litres: many\nwhistle: true\n")
    kind = ConfigKind(Kettle, module="nodes.trust_ledger.node", ships=str(broken))
    groups = {CHECKS: {}, CONFIGS: {"kettle": kind}}
    monkeypatch.setattr("runtime.launch.commands.plugins.load_all", groups.__getitem__)
    result = CliRunner().invoke(check, ["local", "--set", "voice=false"])
    assert result.exit_code == 1
    assert "error trust_ledger: " in result.stdout
    assert "kettle.yaml:1: litres:" in result.stdout
