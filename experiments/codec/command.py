"""`sage bench codec`."""

from __future__ import annotations

import click

from runtime.bench.session import Outcome, Session, measured


@click.command()
@measured("codec")
@click.option(
    "--length", "lengths", multiple=True, type=click.IntRange(min=64, max=2000), help="Only this many tokens."
)
def codec(session: Session, lengths: tuple[int, ...]) -> Outcome:
    """How small attention state gets, and what that costs: codecs, pruning, and both.

    \b
    Example: sage bench codec --timeout 1h --out report
    """
    from experiments.codec.bench import measure

    return measure(session, lengths)
