"""`sage topic`: what is said on the event plane."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

import click

from runtime import console

if TYPE_CHECKING:
    from runtime.bus.events import Event


@click.group()
def topic() -> None:
    """List topics, hear what is said on them, and how often."""


@topic.command("list")
@console.common(timeout=5)
def list_(as_json: bool, timeout: float) -> None:
    """Show every declared topic: its type, how readers get it, whether late joiners get the last value."""
    from protocol.topics import TOPICS

    rows = [(one.path, one.body.__name__, str(one.delivery), "yes" if one.retained else "") for one in TOPICS.all()]
    if as_json:
        for path, body, delivery, retained in rows:
            console.show_json({"topic": path, "type": body, "delivery": delivery, "retained": bool(retained)})
    else:
        click.echo(console.table(rows, header=("topic", "type", "delivery", "retained")))


@topic.command()
@click.argument("name", default="")
@click.option("--count", "-n", type=int, help="Leave after so many events.")
@console.common(timeout=None)
def echo(name: str, count: int | None, as_json: bool, timeout: float | None) -> None:
    """Show events as they are said on NAME: a topic, a prefix such as audio/, or everything.

    \b
    Examples:
      sage topic echo metabolic/state
      sage topic echo exchange/ --json
    """
    console.run(_echo(name, count, as_json), timeout)


async def _echo(name: str, count: int | None, as_json: bool) -> None:
    from runtime.client import Client

    async with Client.connect(name="echo") as client, client.events(name) as events:
        shown = 0
        while count is None or shown < count:
            _show(await anext(events), as_json)
            shown += 1


def _show(event: Event[Any], as_json: bool) -> None:
    header = event.header
    if as_json:
        about = {key: getattr(header, key) for key in ("name", "source", "host", "seq", "wall_ns", "trace")}
        console.show_json({**about, "body": event.body})
        return
    at = time.strftime("%H:%M:%S", time.localtime(header.wall_ns / 1e9))
    body = " ".join(f"{key}={value!r}" for key, value in console.plain(event.body).items())
    click.echo(f"{at} {click.style(header.name, fg='cyan')} #{header.seq} {header.source}  {body}")


@topic.command()
@click.argument("name")
@click.option("--window", type=console.SECONDS, default=5.0, show_default=True, help="Seconds the rate is taken over.")
@console.common(timeout=None)
def hz(name: str, window: float, as_json: bool, timeout: float | None) -> None:
    """Show how often something is said on NAME, counted by the source's own sequence numbers, once a second."""
    console.run(_hz(name, window, as_json), timeout)


async def _hz(name: str, window: float, as_json: bool) -> None:
    import asyncio

    from runtime.client import Client

    said: dict[tuple[str, str], deque[tuple[float, int]]] = {}

    async def count(event: Event[Any]) -> None:
        marks = said.setdefault((event.header.name, event.header.source), deque())
        marks.append((event.header.mono_ns / 1e9, event.header.seq))
        while marks[-1][0] - marks[0][0] > window:
            marks.popleft()

    async with Client.connect(name="hz") as client:
        await client.listen(name, count)
        while True:
            await asyncio.sleep(1)
            for (path, source), marks in sorted(said.items()):
                _show_rate(path, source, list(marks), as_json)


def _show_rate(path: str, source: str, marks: list[tuple[float, int]], as_json: bool) -> None:
    (first_at, first), (last_at, last) = marks[0], marks[-1]
    rate = (last - first) / (last_at - first_at) if last_at > first_at else 0.0
    if as_json:
        console.show_json({"topic": path, "source": source, "hz": rate, "events": last - first})
    else:
        click.echo(f"{path} {source}: {rate:.2f} Hz over {last - first} events")
