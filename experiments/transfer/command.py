"""`sage experiment transfer`."""

from __future__ import annotations

import click

from runtime.bench.session import Outcome, Session, measured


@click.command()
@measured("transfer")
@click.option("--pair", "pairs", multiple=True, help='Only this one, such as "specialized → tactical". [default: all]')
@click.option("--shapes/--no-shapes", default=True, show_default=True, help="Times at the true shapes: 6 GB of memory.")
def transfer(session: Session, pairs: tuple[str, ...], shapes: bool) -> Outcome:
    """Whether a conversation that one model has read can go on with another, unread.

    \b
    Example: sage experiment transfer --timeout 1h --out report
    """
    from experiments.transfer.experiment import run

    return run(session, pairs, shapes=shapes and not session.quick)
