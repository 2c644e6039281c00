from __future__ import annotations

import json

import click
import msgspec
import pytest
from click.testing import CliRunner

from nodes.dream_consolidator import commands
from nodes.dream_consolidator.version_commands import differing, lineage_lines, page_of
from protocol.errors import DeadlineExceeded
from protocol.messages.dream import (
    Adapter,
    DreamCompleted,
    DreamProgress,
    DreamRecord,
    DreamShown,
    DreamStatus,
    Lineage,
    SkillResult,
    Standing,
)
from runtime import console

ENDED = DreamCompleted(
    dream="0123456789abcdef0123",
    level="sensory",
    promoted=True,
    why="better on what was taught",
    results=[SkillResult(name="sums", questions=40, before=0.5, after=0.875)],
    seconds=75.0,
    cpu_s=70.25,
)


def test_a_stage_is_one_line() -> None:
    progress = DreamProgress(dream="d", stage="train", done=50, total=200, loss=0.1234, rate=25.0, remaining_s=6.0)
    assert commands.stage_line(progress) == "train 25% (50/200), 25.0/s, 6.0s left, loss 0.123"
    assert commands.stage_line(DreamProgress(dream="d", stage="collect", done=0, total=0)) == "collect 0% (0/0)"


def test_the_end_of_a_dream_is_told_with_every_skill() -> None:
    lines = click.unstyle(commands.told(ENDED)).splitlines()
    assert lines[0] == "dream 0123456789ab (sensory): learned: better on what was taught"
    assert lines[1].split() == ["skill", "questions", "before", "after"]
    assert lines[2].split() == ["sums", "40", "50.0%", "87.5%"]
    assert lines[3] == "75s, 70.2 processor seconds"


def test_status_shows_what_is_kept_and_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    async def status(timeout: float) -> DreamStatus:
        return DreamStatus(
            examples=7, dreaming=False, last=ENDED, adapters=[Adapter(level="sensory", digest="ab", dream="d")]
        )

    monkeypatch.setattr(commands, "_status", status)
    shown = CliRunner().invoke(commands.dream, ["status"])
    assert shown.exit_code == 0
    assert shown.output.startswith(
        "7 examples kept; not dreaming\nsensory answers with weights ab, learned in dream d\n"
    )
    told = json.loads(CliRunner().invoke(commands.dream, ["status", "--json"]).output)
    assert (told["examples"], told["last"]["level"]) == (7, "sensory")


@pytest.mark.parametrize(("interrupted", "code"), [(False, 0), (True, 1)])
def test_an_interrupted_dream_leaves_with_failure(
    monkeypatch: pytest.MonkeyPatch, interrupted: bool, code: int
) -> None:
    async def now(reason: str, as_json: bool, timeout: float) -> DreamCompleted:
        return DreamCompleted(dream="d", level="sensory", promoted=False, why=reason, interrupted=interrupted)

    monkeypatch.setattr(commands, "_now", now)
    shown = CliRunner().invoke(commands.dream, ["now", "--reason", "because"])
    assert shown.exit_code == code
    assert ("interrupted: because" if interrupted else "nothing changed: because") in shown.output


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (DeadlineExceeded("too long"), 4)])
def test_who_stops_following_a_dream_is_told_that_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    async def now(reason: str, as_json: bool, timeout: float) -> DreamCompleted:
        raise error

    monkeypatch.setattr(commands, "_now", now)
    monkeypatch.setattr(console, "run", lambda work, _timeout: work.send(None))
    shown = CliRunner().invoke(commands.dream, ["now"])
    assert shown.exit_code == code
    assert "`sage dream stop` interrupts it" in shown.output


LINEAGE = Lineage(
    level="sensory",
    digest="ab12",
    dream=ENDED.dream,
    state="challenger",
    parent="",
    base_version="base",
    teacher="tactical",
    data_digest="dd",
    examples=40,
    code="1 cc",
    settings="ss",
    made_ns=1,
    signed_by="lct:host",
    standing=Standing(judged=4, right=3, champion_judged=9, champion_right=6, harm=0.4, good=2.5, since_ns=1),
)


def test_a_dream_is_shown_with_its_verdict_where_its_weights_come_from_and_how_they_do() -> None:
    shown = page_of(DreamShown(dream=DreamRecord(completed=ENDED, ended_ns=1), lineage=LINEAGE))
    assert "better on what was taught" in shown
    assert "ab12 of sensory: challenger" in shown
    assert "teacher: tactical; data: 40 exchanges, digest dd" in shown
    assert "3 of 4 right, the others 6 of 9; evidence 0.4:1 that it is worse, 2.5:1 that it is not" in shown
    assert "signed by lct:host" in shown


def test_a_version_whose_record_was_refused_says_so() -> None:
    refused = msgspec.structs.replace(LINEAGE, signed_by="", why="not as this host signed it", forgotten=True)
    lines = lineage_lines(refused)
    assert lines[0] == "ab12 of sensory: challenger, forgotten-data; not as this host signed it"
    assert "refused" in lines[1]


def test_two_dreams_differ_in_what_is_not_the_same() -> None:
    one = DreamShown(dream=DreamRecord(completed=ENDED, ended_ns=1), lineage=LINEAGE)
    other = DreamShown(dream=None, lineage=msgspec.structs.replace(LINEAGE, digest="cd34"))
    told = {name: (before, after) for name, before, after in differing(one, other)}
    assert told["digest"] == ("ab12", "cd34")
    assert "teacher" not in told
    assert told["sums after"] == ("87.5% of 40", "-")
    assert differing(one, one) == []
