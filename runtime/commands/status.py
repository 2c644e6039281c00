"""`sage status`: who is here and how they are."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from runtime import console

if TYPE_CHECKING:
    from protocol.messages.hub import NodeRecord


@click.command()
@console.common(timeout=5)
def status(as_json: bool, timeout: float) -> None:
    """Show every node: its state and why, age, memory, processor, metabolic number.

    \b
    Examples:
      sage status
      sage status --json | jq 'select(.state != "ready")'
    """
    records = console.run(_records(timeout), timeout)
    if as_json:
        for record in records:
            console.show_json(record)
        return
    click.echo(
        console.table(
            [_row(record) for record in records],
            header=("node", "state", "pid", "up", "beat", "memory", "cpu", "transition", "why"),
        )
    )


async def _records(timeout: float) -> list[NodeRecord]:
    from protocol.messages.hub import ListNodes, Registry
    from runtime.client import Client

    async with Client.connect(name="status", deadline=timeout) as client:
        registry: Registry = await client.call("hub", ListNodes(), deadline=timeout)
        return registry.nodes


def _row(record: NodeRecord) -> tuple[object, ...]:
    health = record.health
    beat = console.age((time.time_ns() - record.beat_ns) / 1e9) if record.beat_ns else "-"
    if health is None:
        return (record.name, record.state, record.pid, "-", beat, "-", "-", "-", record.reason)
    return (
        record.name,
        record.state,
        record.pid,
        console.age(health.uptime_s),
        beat,
        console.size(health.rss_bytes),
        f"{health.cpu_s:.1f}s",
        health.metabolic_number or "-",
        record.reason,
    )
