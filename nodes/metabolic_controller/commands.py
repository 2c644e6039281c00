"""`sage state`: how awake the whole is, who has taken it up, and an operator's wish."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runtime import console

if TYPE_CHECKING:
    from protocol.messages.hub import NodeRecord
    from protocol.messages.metabolism import Energy, MetabolicState, StateExplained
    from runtime.client import Client

CONTROLLER = "metabolic_controller"
STATES = ("WAKE", "FOCUS", "REST", "DREAM", "CRISIS")


@click.group()
def state() -> None:
    """How awake the whole is: WAKE, FOCUS, REST, DREAM or CRISIS."""


@state.command()
@console.common(timeout=5)
def show(as_json: bool, timeout: float) -> None:
    """Show the state, why it holds, the energy account, and which transition every node has taken up."""
    said, energy, records = console.run(_look(timeout), timeout)
    taken = [_taken_up(record, said.number) for record in records if record.health and record.name != "hub"]
    if as_json:
        console.show_json({"state": said, "energy": energy, "nodes": taken})
        return
    click.echo(_told(said))
    if energy is not None:
        click.echo(_account(energy))
    rows = [(one["node"], one["state"], one["number"], "" if one["behind"] <= 0 else "behind") for one in taken]
    click.echo("\n" + console.table(rows, header=("node", "is", "transition", "")))


@state.command()
@click.option("--count", "-n", type=int, help="Leave after so many transitions.")
@console.common(timeout=None)
def watch(count: int | None, as_json: bool, timeout: float | None) -> None:
    """Show the state, and every transition as it is made. Ctrl-C leaves."""
    console.run(_watch(count, as_json), timeout)


@state.command()
@click.option("--since", default="", metavar="DURATION", help="Only the last 30m, 8h, 2d, …")
@click.option("--limit", "-n", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
@click.option("--plot", "picture", type=click.Path(dir_okay=False, path_type=Path), help="Also draw them, as PNG.")
@console.common(timeout=10)
def history(since: str, limit: int, picture: Path | None, as_json: bool, timeout: float) -> None:
    """Show the transitions that were made: when, why, and how long each state lasted.

    \b
    Examples:
      sage state history --since 12h
      sage state history -n 1000 --plot week.png
    """
    from nodes.metabolic_controller import history as told
    from protocol.messages.metabolism import ListTransitions

    now_ns = time.time_ns()
    since_ns = now_ns - round(console.duration(since, "--since") * 1e9) if since else 0
    said = console.run(_ask(ListTransitions(limit=limit, since_ns=since_ns), timeout), timeout).transitions
    if picture is not None and said:
        console.save_picture(lambda: told.picture(said, now_ns), picture)
    if as_json:
        for one in said:
            console.show_json(one)
        return
    if not said:
        click.echo("no transition in that time")
        return
    click.echo(console.table(told.rows(said, now_ns), header=("", "since", "state", "lasted", "ATP", "why")))
    spent = ", ".join(f"{name} {share:.0%}" for name, share in told.shares(said, now_ns).items() if share)
    click.echo(f"\nof this time: {spent}")


@state.command()
@console.common(timeout=10)
def explain(as_json: bool, timeout: float) -> None:
    """Show what the state rests on, and what would have to happen for each other state to follow."""
    from protocol.messages.metabolism import ExplainState

    found: StateExplained = console.run(_ask(ExplainState(), timeout), timeout)
    if as_json:
        console.show_json(found)
        return
    click.echo(_told(found.said))
    click.echo("\nit senses: " + ", ".join(f"{name} {_value(value)}" for name, value in found.inputs.items() if name))
    if found.dwell_left_s:
        click.echo(f"only force ends it within the next {found.dwell_left_s:.0f} s")
    click.echo("\nwhat would lead elsewhere:")
    rows = [(str(way.state), " and ".join(way.needs) or "nothing more: it follows") for way in found.ways]
    click.echo(console.table(rows, header=("", "needs")))


@state.command()
@click.argument("wish", metavar="STATE", type=click.Choice(STATES, case_sensitive=False))
@click.option("--reason", default="", help="Why; it is logged.")
@console.common(timeout=5)
def request(wish: str, reason: str, as_json: bool, timeout: float) -> None:
    """Ask for STATE. It binds for a while, unless somebody stirs; nobody is put to sleep in the middle of a sentence.

    Exit code 1 if another state holds after it.

    \b
    Examples:
      sage state request dream
      sage state request CRISIS --reason "demonstration"
    """
    said = console.run(_request(wish, reason, timeout), timeout)
    if as_json:
        console.show_json(said)
    else:
        click.echo(_told(said))
    if said.state != wish:
        raise SystemExit(console.FAILED)


def _value(value: Any) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value) if value != "" else "-"


async def _ask(request: Any, timeout: float) -> Any:
    """The controller's reply."""
    from runtime.client import Client

    async with Client.connect(name="state", deadline=timeout) as client:
        return await client.call(CONTROLLER, request, deadline=timeout)


async def _look(timeout: float) -> tuple[MetabolicState, Energy | None, list[NodeRecord]]:
    from protocol.messages.hub import ListNodes
    from runtime.client import Client

    async with Client.connect(name="state", deadline=timeout) as client:
        said = await _retained(client, "metabolic/state", timeout)
        energy = await _retained(client, "metabolic/energy", timeout)
        registry = await client.call("hub", ListNodes(), deadline=timeout)
        if said is None:
            raise _nobody()
        return said, energy, registry.nodes


async def _retained(client: Client, topic: str, timeout: float) -> Any:
    """The last value of a retained topic; None where there is none."""
    from protocol.codec import decode, decode_body
    from protocol.messages.hub import Snapshot, SnapshotRequest
    from protocol.topics import TOPICS

    declared = TOPICS.by_path(topic)
    snapshot: Snapshot = await client.call("hub", SnapshotRequest(topics=[declared.wire.decode()]), deadline=timeout)
    envelopes = [decode(value.frame) for value in snapshot.values]
    newest = max(envelopes, key=lambda envelope: envelope.wall_ns, default=None)
    return decode_body(newest, declared.body) if newest is not None else None


def _nobody() -> Exception:
    from protocol.errors import UnknownNode

    return UnknownNode(
        "nobody has said how awake the whole is",
        place=CONTROLLER,
        remedy="start the controller, or see with `sage status` and `sage logs` why it does not run",
    )


async def _watch(count: int | None, as_json: bool) -> None:
    from runtime.client import Client

    shown = 0
    async with Client.connect(name="state") as client, client.events("metabolic/state") as events:
        while count is None or shown < count:
            said = (await anext(events)).body
            shown += 1
            if as_json:
                console.show_json(said)
            else:
                click.echo(f"{time.strftime('%H:%M:%S', time.localtime(said.since_ns / 1e9))}  {_told(said)}")


async def _request(wish: str, reason: str, timeout: float) -> MetabolicState:
    import os

    from protocol.messages.metabolism import Metabolic, RequestState
    from runtime.client import Client

    who = os.environ.get("USER") or "operator"
    async with Client.connect(name="state", deadline=timeout) as client:
        asked = RequestState(state=Metabolic(wish), who=who, reason=reason)
        said: MetabolicState = await client.call(CONTROLLER, asked, deadline=timeout)
        return said


def _taken_up(record: NodeRecord, number: int) -> dict[str, Any]:
    taken = record.health.metabolic_number if record.health else 0
    return {"node": record.name, "state": str(record.state), "number": taken, "behind": number - taken}


def _told(said: MetabolicState) -> str:
    name = click.style(str(said.state), fg=console.COLOURS[said.state], bold=True)
    since = console.age(max(0.0, (time.time_ns() - said.since_ns) / 1e9))
    came = f" (was {said.previous})" if said.previous else ""
    return f"{name}  transition {said.number}, for {since}: {said.reason}{came}; {said.policy.answer} answers"


def _account(energy: Energy) -> str:
    spent = ", ".join(f"{purpose} {amount:.1f}" for purpose, amount in energy.spent.items()) or "nothing"
    return f"{energy.atp:.1f} of {energy.capacity:g} ATP; income {energy.income:.1f}; spent: {spent} ({energy.source})"
