"""Patterns in a running dialogue: a changed file comes into force, a broken one is named and changes nothing."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from protocol.messages.dialogue import Ask
from protocol.messages.node import NodeState
from protocol.messages.patterns import ListPatterns, PatternsListed
from protocol.messages.trust import TrustRow, TrustTable
from tests.fabric import PATIENCE_S, Fabric, fabric

PATTERN = "{{name: {name}, phrases: [{said}], answer: {answer}, positive: [{said}], negative: [other]}}"


@pytest.fixture
async def system():
    async with fabric() as made:
        yield made


def write(path: Path, text: str) -> None:
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").replace(path)


async def reads(system: Fabric) -> PatternsListed:
    return await system.client.call("dialogue", ListPatterns(), deadline=PATIENCE_S)


async def test_a_changed_file_is_in_force_and_a_broken_one_is_named_and_changes_nothing(
    system: Fabric, tmp_path: Path
) -> None:
    path = tmp_path / "patterns.yaml"
    hi = PATTERN.format(name="greet", said="hi", answer="Hello.")
    bye = PATTERN.format(name="leave", said="bye", answer="So long.")
    write(path, f"patterns: [{hi}]")
    await system.node("nodes.dialogue.node", "dialogue", {"patterns": str(path)})
    write(path, f"patterns: [{hi}, {bye}]")
    async with asyncio.timeout(PATIENCE_S):
        while len((await reads(system)).patterns) < 2:
            await asyncio.sleep(0.05)
    answer = await system.client.call("dialogue", Ask(text="Bye!"), deadline=PATIENCE_S)
    assert (answer.answered_by, answer.text) == ("pattern", "So long.")

    write(path, f"patterns: [{hi}, {bye}, {bye}]")
    ailing = await system.wait_for("dialogue", NodeState.DEGRADED)
    assert str(path) in ailing.reason
    assert str(path) in (await reads(system)).problem
    assert (await system.client.call("dialogue", Ask(text="Bye!"), deadline=PATIENCE_S)).text == "So long."

    write(path, f"patterns: [{bye}]")
    await system.wait_for("dialogue", NodeState.READY)
    assert [one.name for one in (await reads(system)).patterns] == ["leave"]


async def sage(system: Fabric, *arguments: str) -> list[dict]:
    """What a command prints as JSON Lines."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "runtime.cli",
        *arguments,
        "--json",
        "--timeout",
        str(PATIENCE_S),
        env=system.environment("cli"),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return [json.loads(line) for line in out.splitlines()]


async def test_what_a_trusted_level_always_answers_alike_becomes_a_pattern_once_a_person_says_so(
    system: Fabric, tmp_path: Path
) -> None:
    path = tmp_path / "patterns.yaml"
    hi = PATTERN.format(name="greet", said="hi", answer="Hello.")
    write(path, f"patterns: [{hi}]\nlearning: {{proposed_after: {{times: 4, sessions: 3, days: 1}}}}")
    name = "model_worker/sensory"
    await system.process(name, sys.executable, "-m", "tests.process.dialogue.stand_ins", "worker")
    await system.wait_for(name, NodeState.READY)
    await system.node("nodes.dialogue.node", "dialogue", {"patterns": str(path)})
    row = TrustRow(level="sensory", version="v1", context="unknown", mean=0.95, low=0.9, high=1.0, evidence=50)
    system.client.publish(TrustTable(entries=50, rows=[row]))

    asked = 0
    proposed: list[dict] = []
    async with asyncio.timeout(PATIENCE_S):
        while not proposed:
            # The table is an event: what is asked before it has come counts for nothing.
            asked += 1
            for text in ("so tell me", "What is two plus two?"):
                ask = Ask(text=text, session=f"s{asked}")
                await system.client.call("dialogue", ask, deadline=PATIENCE_S)
            if asked >= 4:
                everything = await sage(system, "patterns", "proposed")
                proposed = [one for one in everything if one["question"] == "what is two plus two"]
            await system.client.call(
                "dialogue", Ask(text="What is two plus two?", session=f"alone{asked}"), deadline=PATIENCE_S
            )
    assert "never after its subject had come up" in proposed[0]["grounds"]
    (decided,) = await sage(system, "patterns", "accept", proposed[0]["ident"], "--by", "eva")
    answer = await system.client.call("dialogue", Ask(text="what is two plus two"), deadline=PATIENCE_S)
    assert (answer.answered_by, answer.text) == ("pattern", "it is four .")
    (listed,) = await sage(system, "patterns", "list")
    assert [one["by"] for one in listed["patterns"] if one["source"] == "learned"] == ["eva"]

    await sage(system, "patterns", "remove", decided["name"])
    answer = await system.client.call("dialogue", Ask(text="what is two plus two"), deadline=PATIENCE_S)
    assert answer.answered_by != "pattern"
