"""`sage dream examples|forget`: what is kept to learn from, and how to take it out again with all that came of it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from nodes.dream_consolidator.asking import ask, follow
from runtime import console

if TYPE_CHECKING:
    from protocol.messages.dream import ExampleRow, ExamplesForgotten, ExamplesListed

PARTS = ("surprise", "novelty", "arousal", "reward", "conflict")


@click.command()
@click.argument("exchanges", nargs=-1)
@click.option("--show", is_flag=True, help="Open the seal: show what was said, how right it was, and who says so.")
@console.common(timeout=30)
def examples(exchanges: tuple[str, ...], show: bool, as_json: bool, timeout: float) -> None:
    """List what is kept to learn from, the oldest first: of EXCHANGES or all. Without --show no word of it.

    \b
    With --json: one line for each example.
    Example: sage dream examples --show 0192f3a1-…
    """
    from protocol.messages.dream import ListExamples

    rows: list[ExampleRow] = []
    request = ListExamples(exchanges=list(exchanges), words=show)
    if as_json:
        follow(request, timeout, console.show_json)
    elif show:
        follow(request, timeout, lambda row: click.echo(told(row) + "\n"))
    else:
        listed: ExamplesListed = follow(request, timeout, rows.append)
        header = ("exchange", "received", "level", "context", "salience", "met")
        click.echo(console.table([_line(row) for row in rows], header=header))
        click.echo(f"\n{listed.examples} examples")


@click.command()
@click.argument("exchange", default="")
@click.option("--session", default="", help="What was said in this conversation.")
@click.option("--matching", default="", help="Where this text occurs in what was said, in whatever case.")
@click.option(
    "--before",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]),
    metavar="DATE",
    help="What was said before that, local time: 2026-05-01 or 2026-05-01T18:30.",
)
@click.option("--all", "everything", is_flag=True, help="Everything.")
@console.common(timeout=60)
def forget(
    exchange: str,
    session: str,
    matching: str,
    before: datetime | None,
    everything: bool,
    as_json: bool,
    timeout: float,
) -> None:
    """Remove what was kept of EXCHANGE, or all that the options say together, and what was made from it.

    An unfinished dream that rests on it is given up and begins anew without it; weights that learned from it are
    marked, and learned anew in the next dream. Turns of a conversation that still hold it go with it, and what said
    the same.

    \b
    Example: sage dream forget --session kitchen --before 2026-05-01
    """
    from protocol.messages.dream import ForgetExamples

    wish = ForgetExamples(
        exchange=exchange,
        session=session,
        matching=matching,
        before_ns=int(before.timestamp()) * 10**9 if before else 0,
        everything=everything,
    )
    if wish == ForgetExamples():
        raise click.UsageError("Say what to forget: an EXCHANGE, --session, --matching, --before or --all.")
    if everything and wish != ForgetExamples(everything=True):
        raise click.UsageError("--all leaves nothing for the others to choose.")
    forgotten: ExamplesForgotten = ask(wish, timeout)
    if as_json:
        console.show_json(forgotten)
        return
    click.echo(f"{forgotten.examples} examples forgotten")
    if forgotten.dream:
        click.echo(f"dream {forgotten.dream[:12]} rested on it: given up, to begin anew")
    for each in forgotten.derived:
        click.echo(f"made from it: {each}")


def told(row: ExampleRow) -> str:
    """An example for people, with what was said."""
    score = "nobody judged it" if row.score is None else f"{row.score:g} by {row.source}"
    lines = [
        f"{click.style(row.exchange, bold=True)}  {_when(row)}  {row.context}/{row.cluster}  met {row.met}",
        *(f"  {message.role}: {message.content}" for message in row.messages),
        f"  {row.level} ({row.version}): {row.answer}",
        f"  {score}; {_salience(row)}",
    ]
    if row.teacher:
        lines.append(f"  a teacher: {row.teacher}")
    if row.ids:
        lines.append(f"  token ids: {' '.join(map(str, row.ids))}")
    return "\n".join(lines)


def _salience(row: ExampleRow) -> str:
    parts = [] if row.snarc is None else [f"{part} {getattr(row.snarc, part):.2f}" for part in PARTS]
    return f"salience {row.salience:.2f}" + (f" ({', '.join(parts)})" if parts else "")


def _line(row: ExampleRow) -> tuple[object, ...]:
    return row.exchange, _when(row), row.level, f"{row.context}/{row.cluster}", f"{row.salience:.2f}", row.met


def _when(row: ExampleRow) -> str:
    return datetime.fromtimestamp(row.received_ns / 1e9).strftime("%Y-%m-%d %H:%M")
