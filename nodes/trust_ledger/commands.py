"""`sage trust`: what is believed of each level, and the proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from nodes.trust_ledger.asking import ask
from nodes.trust_ledger.identity_commands import identities, revoke, user, witness
from nodes.trust_ledger.replay_commands import replay
from nodes.trust_ledger.showing_commands import explain, show
from nodes.trust_ledger.transfer_commands import FILE, export, import_, proved
from runtime import console
from runtime.bench.session import Outcome, Session, measured

if TYPE_CHECKING:
    from pathlib import Path

    from protocol.messages.trust import TrustRow, TrustTable, Verified


@click.group()
def trust() -> None:
    """Who may answer what: belief in each level, and the signed outcomes it rests on."""


@trust.command()
@console.common(timeout=5)
def table(as_json: bool, timeout: float) -> None:
    """Show the believed rate of success of each level's version in each context, with its 90% credible interval."""
    from protocol.messages.trust import TableRequest

    known: TrustTable = ask(timeout, TableRequest())
    if as_json:
        for row in known.rows:
            console.show_json(row)
        return
    header = ("level", "version", "context", "trust", "interval", "outcomes", "ATP", "")
    click.echo(console.table([_row(row) for row in known.rows], header=header))
    click.echo(f"\nrests on {known.entries} entries")


for _verb in (show, explain, identities, user, witness, revoke, export, import_, replay):
    trust.add_command(_verb)


@trust.command()
@click.argument("file", type=FILE, required=False)
@click.option("--head", default="", help="A head that was noted down earlier: the chain must still hold it.")
@console.common(timeout=120)
def verify(file: Path | None, head: str, as_json: bool, timeout: float) -> None:
    """Replay the ledger's chain and signatures, and build everything that rests on them anew.

    FILE: an exported ledger, of this host or another, in place of the running system's. It is only read.
    Exit code 1 if an entry was edited, forged, moved or dropped, or a table is not what the entries give. That a whole
    older state was put back shows by the head that is noted beside the ledger, and by one that you kept: `--head`.
    """
    origin, found = _asked(head, timeout) if file is None else proved(file, head, timeout)
    if as_json:
        console.show_json({**msgspec.structs.asdict(found), **({"origin": origin} if origin else {})})
    elif found.ok:
        by = f" by {origin}" if origin else ""
        click.echo(f"{click.style('sound', fg='green')}: {found.entries} entries, as they were written{by}")
        click.echo("built anew and the same: " + ", ".join(f"{count} {name}" for name, count in found.rebuilt.items()))
        click.echo(f"head {found.head}")
    else:
        for problem in found.problems:
            click.echo(f"{click.style('tampered', fg='red')}: {problem}")
    if not found.ok:
        raise SystemExit(console.FAILED)


def _asked(head: str, timeout: float) -> tuple[str, Verified]:
    from protocol.messages.trust import VerifyRequest

    found: Verified = ask(timeout, VerifyRequest(head=head))
    return "", found


@click.command("ledger")
@measured("ledger")
def bench_ledger(session: Session) -> Outcome:
    """Durable entries a second, in batches and one at a time, and how fast all of it is proved."""
    from nodes.trust_ledger.bench import measure

    return measure(session)


def _row(row: TrustRow) -> tuple[object, ...]:
    cost = f"{row.atp:.2f}" if row.atp else "-"
    interval = f"{row.low:.2f} - {row.high:.2f}"
    return (
        row.level,
        row.version[:12],
        row.context,
        f"{row.mean:.2f}",
        interval,
        f"{row.evidence:.1f}",
        cost,
        row.alarm,
    )
