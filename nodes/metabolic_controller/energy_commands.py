"""`sage energy`: what there is, what it was spent on, and what tells how much that was."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runtime import console

if TYPE_CHECKING:
    from protocol.messages.metabolism import Books
    from runtime.power import Readiness
    from runtime.power.costs import Costs

CONTROLLER = "metabolic_controller"
HOUR_NS = 3600 * 10**9


@click.group()
def energy() -> None:
    """The energy account: what there is, what it was spent on, and what tells how much that was."""


@energy.command()
@console.common(timeout=5)
def show(as_json: bool, timeout: float) -> None:
    """Show every account, what is held, which sensors there are, and what `sage calibrate` has measured.

    Exit code 1 if the books do not balance.
    """
    from runtime import power
    from runtime.paths import state_dir
    from runtime.power import costs

    books = console.run(_books(1, timeout), timeout)
    sensors = power.readiness()
    known = costs.load(state_dir() / costs.FILE)
    if as_json:
        from dataclasses import asdict

        told = [asdict(one) for one in sensors]
        console.show_json({"books": books, "sensors": told, "costs": known})
    else:
        click.echo("\n".join([*_accounts(books), "", *_sensors(sensors), "", *_costs(known)]))
    if books.problem:
        raise SystemExit(console.FAILED)


@energy.command()
@click.option("--hours", type=click.IntRange(1, 31 * 24), default=24, show_default=True, help="How far back.")
@click.option("--plot", "picture", type=click.Path(dir_okay=False, path_type=Path), help="Write a PNG, too.")
@console.common(timeout=10)
def history(hours: int, picture: Path | None, as_json: bool, timeout: float) -> None:
    """Show what came in and what was spent on what, hour by hour.

    \b
    Examples:
      sage energy history
      sage energy history --hours 168 --plot week.png
    """
    from nodes.metabolic_controller import energy_history

    books = console.run(_books(hours, timeout), timeout)
    told = energy_history.hours(books.moved)
    if as_json:
        for one in told:
            console.show_json(one)
    else:
        click.echo(console.table(energy_history.rows(told), header=energy_history.HEADER))
    if picture is not None:
        console.save_picture(lambda: energy_history.picture(told), picture)


async def _books(hours: int, timeout: float) -> Books:
    from protocol.messages.metabolism import BooksRequest
    from runtime.client import Client

    until_ns = time.time_ns()
    async with Client.connect(name="energy", deadline=timeout) as client:
        asked = BooksRequest(since_ns=until_ns - (hours - 1) * HOUR_NS, until_ns=until_ns)
        books: Books = await client.call(CONTROLLER, asked, deadline=timeout)
        return books


def _accounts(books: Books) -> list[str]:
    rows = [(name, f"{micro / 1e6:.6f}") for name, micro in books.balances.items()]
    total = sum(books.balances.values()) / 1e6
    lines = [console.table([*rows, ("all together", f"{total:.6f}")], header=("account", "ATP"))]
    lines += [
        f"held: {one.micro / 1e6:.2f} ATP for {one.kind} {one.ident}, {console.age(max(0.0, one.expires_in_s))} more"
        for one in books.held
    ]
    return [
        *lines,
        click.style(f"the books do not balance: {books.problem}", fg="red") if books.problem else "balanced",
    ]


def _sensors(sensors: list[Readiness]) -> list[str]:
    return [f"sensor {one.source}: {one.problem or 'ready'}" for one in sensors]


def _costs(known: Costs) -> list[str]:
    if not known.levels:
        return ["no level was calibrated on this machine: `sage calibrate`"]
    rows: list[tuple[Any, ...]] = []
    for name, level in known.levels.items():
        unit, field = ("processor s", "cpu_s") if level.source == "cpu" else ("J", "joules")
        costs = [f"{getattr(cost, field):.3f}" for cost in level.parts]
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(level.measured_ns / 1e9))
        rows.append((name, *costs, unit, level.source, level.version[:8], when))
    header = ("level", "start", "load", "answer", "1,000 read", "1,000 said", "in", "by", "version", "measured")
    return [console.table(rows, header=header)]
