"""`sage state`: how awake the whole is, who has taken it up, and an operator's wish."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from runtime import console

if TYPE_CHECKING:
    from protocol.messages.hub import NodeRecord
    from protocol.messages.metabolism import Energy, MetabolicState
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
