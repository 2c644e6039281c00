"""`sage trust show` and `sage trust explain`: what is held of whom, and what an entry says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from nodes.trust_ledger.asking import ask
from runtime import console

if TYPE_CHECKING:
    from protocol.messages.action import T3, V3
    from protocol.messages.trust import EntryExplained, TensorRow, Tensors


@click.command()
@click.argument("subject", default="")
@click.option("--changes", default=3, show_default=True, help="How many of the last changes to show of each, up to 5.")
@console.common(timeout=10)
def show(subject: str, changes: int, as_json: bool, timeout: float) -> None:
    """Show T3 and V3 by role and context, with their last changes and the reasons.

    SUBJECT: a level, or a part of an LCT id.
    There is no trust that holds everywhere: whoever is good at one thing has shown nothing of another.
    """
    from protocol.messages.trust import TensorsRequest

    held: Tensors = ask(timeout, TensorsRequest(subject=subject, changes=changes))
    if as_json:
        for row in held.rows:
            console.show_json(row)
        return
    if not held.rows:
        click.echo("nothing that was judged has been written down" + (f" of {subject}" if subject else ""))
    for row in held.rows:
        click.echo("\n".join(_lines(row)))
    if held.left_out:
        click.echo(f"and {held.left_out} more; name a subject")


@click.command()
@click.argument("entry")
@console.common(timeout=10)
def explain(entry: str, as_json: bool, timeout: float) -> None:
    """Say what an entry says, in words. ENTRY: its number, its key (EXCHANGE/LEVEL), an exchange, or `last`."""
    from protocol.messages.trust import ExplainEntry

    explained: EntryExplained = ask(timeout, ExplainEntry(entry=entry))
    if as_json:
        console.show_json(explained)
        return
    click.echo(f"entry {explained.entry} ({explained.key}), signed by {explained.signer}")
    for line in explained.words:
        click.echo(f"  {line}")
    for witness in explained.witnesses:
        click.echo(f"  witness     {witness.by}, {_when(witness.wall_ns)}: {witness.statement!r}")


def _lines(row: TensorRow) -> list[str]:
    return [
        f"{click.style(row.subject, bold=True)} as {row.role} in {row.context}, by {row.actions} judged actions",
        f"  T3 {_tensor(row.t3)}",
        f"  V3 {_tensor(row.v3)}",
        *(
            f"  {_when(change.wall_ns)}  entry {change.entry}: {change.outcome}, {change.reason}"
            for change in row.changes
        ),
    ]


def _tensor(tensor: T3 | V3) -> str:
    each = "  ".join(f"{name} {getattr(tensor, name):.3f}" for name in tensor.__struct_fields__)
    return f"{tensor.composite:.3f}  ({each})"


def _when(wall_ns: int) -> str:
    return datetime.fromtimestamp(wall_ns / 1e9, UTC).isoformat(timespec="seconds")
