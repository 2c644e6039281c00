"""`sage top`: a live view of all nodes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from runtime import console

if TYPE_CHECKING:
    from protocol.messages.hub import NodeRecord

_CLEAR = "\x1b[H\x1b[2J"


@click.command()
@click.option("--interval", default=1.0, show_default=True, type=click.FloatRange(min=0.1), help="Seconds.")
@click.option("--count", "-n", type=int, help="Leave after so many views.")
@console.common(timeout=None)
def top(interval: float, count: int | None, as_json: bool, timeout: float | None) -> None:
    """Show processor, memory, queues and losses of every node, again and again. Ctrl-C leaves."""
    console.run(_top(interval, count, as_json), timeout)


async def _top(interval: float, count: int | None, as_json: bool) -> None:
    import asyncio

    from protocol.messages.hub import ListNodes
    from runtime.client import Client

    before: dict[str, tuple[float, float]] = {}
    shown = 0
    async with Client.connect(name="top") as client:
        while count is None or shown < count:
            registry = await client.call("hub", ListNodes(), deadline=5)
            rows = [_row(record, before) for record in registry.nodes]
            _show(rows, as_json)
            shown += 1
            if shown != count:
                await asyncio.sleep(interval)


def _row(record: NodeRecord, before: dict[str, tuple[float, float]]) -> dict[str, Any]:
    """One node's figures; processor share since the last view."""
    health = record.health
    if health is None:
        return {"node": record.name, "state": str(record.state)}
    then_up, then_cpu = before.get(record.name, (0.0, 0.0))
    elapsed = health.uptime_s - then_up
    if elapsed < 0:
        elapsed, then_cpu = health.uptime_s, 0.0
    before[record.name] = (health.uptime_s, health.cpu_s)
    return {
        "node": record.name,
        "state": str(record.state),
        "cpu_percent": round(100 * (health.cpu_s - then_cpu) / elapsed, 1) if elapsed > 0 else 0.0,
        "rss_bytes": health.rss_bytes,
        "open_files": health.open_files,
        "loop_lag_ms": round(health.loop_lag_ms, 1),
        "open_calls": int(health.stats.get("calls", {}).get("open", 0)),
        "waiting": int(sum(one.get("waiting", 0) for one in health.stats.values())),
        "lost": int(sum(one.get("lost", 0) + one.get("dropped", 0) for one in health.stats.values())),
    }


def _show(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        for row in rows:
            console.show_json(row)
        return
    columns = (
        "node",
        "state",
        "cpu_percent",
        "rss_bytes",
        "open_files",
        "loop_lag_ms",
        "open_calls",
        "waiting",
        "lost",
    )
    cells = [[_text(key, row.get(key)) for key in columns] for row in rows]
    header = ("node", "state", "cpu %", "memory", "files", "lag ms", "calls", "waiting", "lost")
    click.echo((_CLEAR if sys.stdout.isatty() else "") + console.table(cells, header=header))


def _text(key: str, value: Any) -> str:
    if value is None:
        return "-"
    return console.size(value) if key == "rss_bytes" else str(value)
