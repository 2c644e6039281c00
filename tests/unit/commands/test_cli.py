import json
import os

import click
import pytest
from click.testing import CliRunner

from protocol.errors import ConfigError, DeadlineExceeded, HubLost, Overloaded
from runtime import console, plugins
from runtime.cli import GROUP, main


def leaves(command: click.Command, path: tuple[str, ...]):
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from leaves(command.get_command(context, name), (*path, name))
    else:
        yield path, command


VERBS = dict(leaves(main, ()))


@pytest.fixture
def runner(monkeypatch, tmp_path):
    monkeypatch.setenv("SAGE_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("SAGE_STATE_DIR", str(tmp_path / "state"))
    return CliRunner()


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_every_verb_takes_json_and_timeout_and_says_what_it_does(path):
    options = {option for parameter in VERBS[path].params for option in parameter.opts}
    assert {"--json", "--timeout"} <= options
    assert VERBS[path].help
    assert "\\b" not in VERBS[path].help


@pytest.mark.parametrize(
    "verb", [("status",), ("top", "-n", "1"), ("topic", "echo"), ("ask", "hello"), ("state", "show")]
)
def test_where_nothing_runs_a_verb_says_so_and_what_to_do(runner, verb):
    done = runner.invoke(main, list(verb))
    assert done.exit_code == console.NOT_RUNNING
    assert "no hub is running here" in done.output
    assert "sage up" in done.output


def test_an_unknown_verb_is_a_usage_error(runner):
    assert runner.invoke(main, ["stauts"]).exit_code == console.WRONG


@pytest.mark.parametrize("seconds", ["nan", "inf", "0", "-1", "1e300"])
def test_a_time_that_no_clock_counts_is_a_usage_error(runner, seconds):
    for verb in (["status", "--timeout", seconds], ["topic", "hz", "x/y", "--window", seconds]):
        assert runner.invoke(main, verb).exit_code == console.WRONG


def test_key_show_makes_the_key_file_once_and_shows_no_secret(runner, tmp_path):
    first = runner.invoke(main, ["key", "show", "--json"])
    again = runner.invoke(main, ["key", "show", "--json"])
    assert first.output == again.output
    file = tmp_path / "state" / "host.key"
    assert file.stat().st_mode & 0o777 == 0o600
    secrets = json.loads(file.read_text())
    assert secrets["signing"] not in first.output
    assert secrets["sealing"] not in first.output


def test_doctor_names_what_is_missing_and_fails_only_for_what_is_wrong(runner, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda _: None)
    done = runner.invoke(main, ["doctor", "--json"])
    symptoms = {one["what"]: one for one in map(json.loads, done.stdout.splitlines())}
    assert symptoms["espeak-ng"]["state"] == "missing"
    assert "apt-get" in symptoms["espeak-ng"]["remedy"]
    assert done.exit_code == 0


def test_doctor_fails_for_a_state_directory_that_others_may_enter(runner, tmp_path):
    (tmp_path / "state").mkdir(mode=0o755)
    os.chmod(tmp_path / "state", 0o755)
    done = runner.invoke(main, ["doctor"])
    assert done.exit_code == console.FAILED
    assert "chmod 700" in done.output


def test_a_request_that_fits_no_service_names_the_fields(runner):
    done = runner.invoke(main, ["call", "dialogue", "dialogue/ask", '{"txt": 1}'])
    assert done.exit_code == console.WRONG
    assert "it takes: text, session" in done.output


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), console.WRONG),
        (HubLost("x"), console.NOT_RUNNING),
        (DeadlineExceeded("x"), console.TIMED_OUT),
        (Overloaded("x"), console.FAILED),
    ],
)
def test_errors_have_exit_codes_by_kind(error, code):
    assert console.exit_code(error) == code


def test_a_table_is_aligned_by_its_widest_cell():
    lines = click.unstyle(console.table([("a", 1), ("long name", 22)], header=("node", "n"))).splitlines()
    assert lines == ["node       n", "a          1", "long name  22"]


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.25, "0.2s"), (90, "90s"), (600, "10m"), (90_000, "25h"), (9e5, "10d")]
)
def test_ages_are_short(seconds, shown):
    assert console.age(seconds) == shown


def test_a_broken_verb_names_its_package(monkeypatch, runner):
    point = type("Point", (), {"value": "gone:verb", "load": lambda self: __import__("no_such_module")})()
    monkeypatch.setattr(plugins, "_points", lambda group: {"broken": point} if group == GROUP else {})
    done = runner.invoke(main, ["broken"])
    assert done.exit_code == console.WRONG
    assert "gone:verb does not load" in done.output
