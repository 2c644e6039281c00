"""Patterns in a running dialogue: a changed file comes into force, a broken one is named and changes nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from protocol.messages.dialogue import Ask
from protocol.messages.node import NodeState
from protocol.messages.patterns import ListPatterns, PatternsListed
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
