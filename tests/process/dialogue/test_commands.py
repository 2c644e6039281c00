"""`sage ask`, `chat`, `trace`, `hear` and `say` against a running dialogue."""

from __future__ import annotations

import asyncio
import json

from click.testing import CliRunner, Result

from nodes.dialogue.commands import ask, chat, hear, say, trace
from tests.fabric import Fabric, fabric
from tests.process.dialogue.test_node import dialogue, stand_in


async def sage(system: Fabric, command: object, *words: str, typed: str = "") -> Result:
    runner = CliRunner(env={"SAGE_RUN_DIR": str(system.run_dir)})
    return await asyncio.to_thread(runner.invoke, command, [*words, "--timeout", "60"], input=typed)


async def test_answers_and_traces_are_shown():
    async with fabric() as system:
        await stand_in(system, "worker", "model_worker/sensory")
        await dialogue(system)
        shown = await sage(system, ask, "what is two plus two")
        assert shown.exit_code == 0, shown.output
        answer, told = shown.stdout.splitlines()
        assert answer == "it is four ."
        assert told.startswith("[sensory, confidence 0.95, ")
        records = [json.loads(line) for line in (await sage(system, ask, "hello", "--json")).stdout.splitlines()]
        assert [record["text"] for record in records] == ["Hello.", "Hello."]
        assert records[-1]["answered_by"] == "pattern"
        stages = await sage(system, trace)
        assert "'hello', answered by pattern" in stages.stdout
        named = json.loads((await sage(system, trace, records[-1]["exchange"], "--json")).stdout)
        assert named["trace"] == records[-1]["trace"]
        missing = await sage(system, trace, "dddd")
        assert (missing.exit_code, missing.stderr) == (1, "no exchange 'dddd' is kept\n")
        refused = await sage(system, ask, "hello", "--level", "huge")
        assert refused.exit_code == 1
        assert "no level 'huge'" in refused.stderr
        talk = await sage(system, chat, typed="hello\n\nwhat is one plus three\n")
        assert talk.exit_code == 0
        assert [line for line in talk.stdout.splitlines() if line and not line.startswith("[")] == [
            "Hello.",
            "it is four .",
        ]


async def test_a_file_is_heard_and_answered_and_words_are_said(tmp_path):
    wav = tmp_path / "question.wav"
    wav.touch()
    async with fabric() as system:
        await stand_in(system, "ears", "audio_sensor")
        await stand_in(system, "voice", "speaker")
        await stand_in(system, "worker", "model_worker/sensory")
        await dialogue(system)
        shown = await sage(system, hear, str(wav))
        assert shown.stdout.splitlines()[:2] == ["heard  what is two plus two", "answer it is four ."]
        records = [json.loads(line) for line in (await sage(system, hear, str(wav), "--json")).stdout.splitlines()]
        assert records[0]["text"] == records[1]["answer"]["question"] == "what is two plus two"
        assert records[2]["utterances"] == 1
        quiet = await sage(system, hear, str(wav), "--only-listen")
        assert quiet.stdout.splitlines() == ["heard  what is two plus two"]
        spoken = await sage(system, say, "hello", "--out", str(tmp_path / "out.wav"))
        assert spoken.stdout.startswith(f"{tmp_path / 'out.wav'}  1.50 s of speech")


def test_without_a_system_the_reason_and_the_exit_code_say_so(tmp_path):
    tmp_path.chmod(0o700)
    runner = CliRunner(env={"SAGE_RUN_DIR": str(tmp_path)})
    for command in (ask, trace):
        result = runner.invoke(command, ["hello"])
        assert result.exit_code == 3
        assert "no hub is running here" in result.stderr
