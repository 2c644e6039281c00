"""`sage experiment conversations`."""

from __future__ import annotations

import click

from runtime.bench.session import Outcome, Session, measured


@click.command()
@measured("conversations")
@click.option("--count", type=click.IntRange(min=1), help="Conversations. [100; 10 with --quick]")
@click.option("--launch", default="local", show_default=True, help="Launch file to start.")
def conversations(session: Session, count: int | None, launch: str) -> Outcome:
    """Conversations of simulated people through all running processes, beside a system that always asks the largest."""
    from experiments.conversations.experiment import measure

    return measure(session, count, launch)
