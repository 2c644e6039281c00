"""`sage reality show|explain|forget`: what is taken to be so, why, and how to take it out; and `sage bench reality`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from runtime import console
from runtime.bench.session import Outcome, Session, measured

if TYPE_CHECKING:
    from protocol.messages.reality import (
        AssumptionExplained,
        Assumptions,
        AssumptionsForgotten,
        AssumptionShown,
        CascadeShown,
    )

DIALOGUE = "dialogue"
LEVELS = ("sensory", "environment", "context", "abstract")
SHOWN = ("hits", "misses", "verifies", "rebuilds", "cascades", "followed", "evictions", "refused")


@click.group()
def reality() -> None:
    """What is taken to be so until surprise breaks it: answers, versions, kept state, and what rests on what."""


@reality.command()
@click.option("--level", type=click.Choice(LEVELS), help="Only this one. [all]")
@click.option("--most", type=click.IntRange(min=1), default=30, show_default=True, help="The most recently used.")
@console.common(timeout=5)
def show(level: str | None, most: int, as_json: bool, timeout: float) -> None:
    """List what is assumed, the last cascades, and how often asking paid.

    \b
    With --json: one line for each assumption, one for each cascade, last the counters.
    """
    from protocol.messages.reality import ListAssumptions

    known: Assumptions = console.run(_ask(ListAssumptions(level=level or "", most=most), timeout), timeout + 1)
    if as_json:
        for one in (*known.assumptions, *known.cascades):
            console.show_json(one)
        console.show_json(known.stats)
        return
    header = ("key", "level", "standing", "confidence", "bears", "verified", "statement")
    click.echo(console.table([_row(one) for one in known.assumptions], header=header))
    if known.cascades:
        click.echo("\n" + _cascades(known.cascades))
    counts = ", ".join(f"{name} {known.stats.get(name, 0):.0f}" for name in SHOWN)
    rate = f"{100 * known.stats.get('hit_rate', 0):.1f} % of checks"
    click.echo(f"\n{rate} held; {counts}; longest rebuild {1e3 * known.stats.get('rebuild_longest_s', 0):.1f} ms")
    costs = {name.removeprefix("atp."): atp for name, atp in known.stats.items() if name.startswith("atp.")}
    if costs:
        click.echo("ATP each: " + ", ".join(f"{name} {atp:.5f}" for name, atp in sorted(costs.items())))


@reality.command()
@click.argument("ident")
@console.common(timeout=5)
def explain(ident: str, as_json: bool, timeout: float) -> None:
    """Why IDENT is held or not: its key or a beginning of it, or the id of an exchange that was answered from it."""
    from protocol.messages.reality import ExplainAssumption

    found: AssumptionExplained = console.run(_ask(ExplainAssumption(ident=ident), timeout), timeout + 1)
    if as_json:
        console.show_json(found)
        return
    one = found.assumption
    click.echo(f"{one.key}\n  {one.statement}")
    click.echo(f"  {one.level}, {one.standing}{f' ({one.why})' if one.why else ''}, revision {one.revision}")
    click.echo(f"  confidence {one.confidence:.2f}, relied on from {one.bar:.2f}; verified {_ago(one.verified_ns)} ago")
    click.echo(f"  {_reach('verified', found.distance_verify)}; {_reach('rebuilt', found.distance_rebuild)}")
    click.echo("  rests on " + (", ".join(one.rests_on) or "nothing else"))
    for support in found.supports:
        click.echo(f"    {support.key}: {support.statement} ({support.standing}, {support.confidence:.2f})")
    click.echo(f"  bears {one.bears_count}" + (f": {', '.join(one.bears)}" if one.bears else ""))
    if found.cascades:
        click.echo(_cascades(found.cascades))


@reality.command()
@click.argument("ident", default="")
@click.option("--session", default="", help="All that was said in this conversation, and what others keep of it.")
@click.option("--all", "everything", is_flag=True, help="Everything.")
@console.common(timeout=10)
def forget(ident: str, session: str, everything: bool, as_json: bool, timeout: float) -> None:
    """Take out IDENT, a conversation, or all. What rested on it is not given out any more."""
    from protocol.messages.reality import ForgetAssumptions

    if bool(ident) + bool(session) + everything != 1:
        raise click.UsageError("say what to forget: IDENT, --session or --all")
    request = ForgetAssumptions(ident=ident, session=session, everything=everything)
    done: AssumptionsForgotten = console.run(_ask(request, timeout), timeout + 1)
    if as_json:
        console.show_json(done)
    else:
        rested = f", {done.broken} rested on that" if done.broken else ""
        click.echo(f"{done.forgotten} forgotten{rested}")


@click.command("reality")
@measured("reality")
def bench_reality(session: Session) -> Outcome:
    """A world that drifts: how often an assumption answers, how often it is stale, how long rebuilding takes.

    Beside it: no cache, caches that expire after a time, and one that hears reports but follows no edges.
    """
    from nodes.dialogue.reality.bench import measure

    return measure(session)


async def _ask(request: Any, timeout: float) -> Any:
    from runtime.client import Client

    async with Client.connect(name="reality", deadline=timeout) as client:
        return await client.call(DIALOGUE, request, deadline=timeout)


def _row(one: AssumptionShown) -> tuple[object, ...]:
    kind, _, rest = one.key.partition("/")
    key = one.key if len(rest) < 20 else f"{kind}/{rest[:12]}…"
    statement = one.statement if len(one.statement) <= 70 else f"{one.statement[:69]}…"
    confidence = f"{one.confidence:.2f}" if one.confidence >= one.bar else f"{one.confidence:.2f} < {one.bar:.2f}"
    return (key, one.level, one.standing, confidence, one.bears_count, _ago(one.verified_ns), statement)


def _cascades(cascades: list[CascadeShown]) -> str:
    rows = [
        (
            _ago(one.at_ns),
            one.key[:24],
            f"{one.surprise:.2f}",
            one.followed,
            one.depth,
            f"{1e3 * one.seconds:.1f}",
            one.why,
        )
        for one in cascades
    ]
    return console.table(rows, header=("ago", "broken", "surprise", "followed", "depth", "ms", "why"))


def _reach(what: str, distance: float | None) -> str:
    return f"{what} by nothing that differs" if distance is None else f"{what} by a distance of {distance:.2f}"


def _ago(wall_ns: int) -> str:
    return console.age(max(0.0, time.time() - wall_ns / 1e9))
