"""`sage trust`: what is believed of each level, and the proof."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from runtime import console

if TYPE_CHECKING:
    from protocol.messages.trust import TrustRow, TrustTable, Verified

LEDGER = "trust_ledger"


@click.group()
def trust() -> None:
    """Who may answer what: belief in each level, and the signed outcomes it rests on."""


@trust.command()
@console.common(timeout=5)
def table(as_json: bool, timeout: float) -> None:
    """Show the believed rate of success of each level's version in each context, with its 90% credible interval."""
    from protocol.messages.trust import TableRequest

    known: TrustTable = console.run(_ask(TableRequest(), timeout), timeout)
    if as_json:
        for row in known.rows:
            console.show_json(row)
        return
    header = ("level", "version", "context", "trust", "interval", "outcomes", "ATP")
    click.echo(console.table([_row(row) for row in known.rows], header=header))
    click.echo(f"\nrests on {known.entries} entries")


@trust.command()
@console.common(timeout=120)
def verify(as_json: bool, timeout: float) -> None:
    """Replay the ledger's chain and signatures. Exit code 1 if an entry was edited, forged, moved or dropped."""
    from protocol.messages.trust import VerifyRequest

    found: Verified = console.run(_ask(VerifyRequest(), timeout), timeout)
    if as_json:
        console.show_json(found)
    elif found.ok:
        click.echo(f"{click.style('sound', fg='green')}: {found.entries} entries, as they were written")
    else:
        for problem in found.problems:
            click.echo(f"{click.style('tampered', fg='red')}: {problem}")
    if not found.ok:
        raise SystemExit(console.FAILED)


async def _ask(request: Any, timeout: float) -> Any:
    from runtime.client import Client

    async with Client.connect(name="trust", deadline=timeout) as client:
        return await client.call(LEDGER, request, deadline=timeout)


def _row(row: TrustRow) -> tuple[object, ...]:
    cost = f"{row.atp:.2f}" if row.atp else "-"
    interval = f"{row.low:.2f} - {row.high:.2f}"
    return (row.level, row.version[:12], row.context, f"{row.mean:.2f}", interval, f"{row.evidence:.1f}", cost)
