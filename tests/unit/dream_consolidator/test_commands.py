from __future__ import annotations

import json

import click
import pytest
from click.testing import CliRunner

from nodes.dream_consolidator import commands
from protocol.messages.dream import Adapter, DreamCompleted, DreamProgress, DreamStatus, SkillResult

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
    async def start(reason: str, as_json: bool, timeout: float) -> DreamCompleted:
        return DreamCompleted(dream="d", level="sensory", promoted=False, why=reason, interrupted=interrupted)

    monkeypatch.setattr(commands, "_start", start)
    shown = CliRunner().invoke(commands.dream, ["start", "--reason", "because"])
    assert shown.exit_code == code
    assert ("interrupted: because" if interrupted else "nothing changed: because") in shown.output
