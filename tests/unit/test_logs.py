import json

import pytest
import structlog

from protocol.errors import ConfigError
from runtime import logs


@pytest.fixture(autouse=True)
def restored():
    yield
    structlog.reset_defaults()


def test_json_has_one_object_a_line_with_the_node(capsys: pytest.CaptureFixture[str]) -> None:
    log = logs.configure("ears", format_="json")
    log.info("model.loaded", seconds=2.5)
    try:
        int("no")
    except ValueError:
        log.exception("model.lost")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["event"], first["node"], first["level"], first["seconds"]) == ("model.loaded", "ears", "info", 2.5)
    assert "ValueError: invalid literal" in second["exception"]


def test_what_people_said_is_never_logged(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("ears", format_="json").info("heard", text="my secret", ids=[1, 2, 3], answer=None, seconds=1)
    line = capsys.readouterr().err
    assert "secret" not in line
    fields = json.loads(line)
    assert (fields["text"], fields["ids"], fields["answer"], fields["seconds"]) == (
        "withheld: 9",
        "withheld: 3",
        "withheld",
        1,
    )


def test_the_environment_chooses_format_and_level(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAGE_LOG", "json")
    monkeypatch.setenv("SAGE_LOG_LEVEL", "warning")
    log = logs.configure("ears")
    log.info("unseen")
    log.warning("seen")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["seen"]


def test_people_get_plain_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("ears", format_="console").info("seen", n=1)
    shown = capsys.readouterr().err
    assert "seen" in shown
    assert "\x1b" not in shown


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"SAGE_LOG_LEVEL: 'warnin' is not one of .*did you mean 'warning'"):
        logs.configure("ears", level="warnin")
