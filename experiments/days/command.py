"""`sage experiment days`."""

from __future__ import annotations

import click

from runtime.bench.session import Outcome, Session, measured


@click.command()
@measured("days")
@click.option("--arm", "arms", multiple=True, help="neither, fast, slow or both; may be given again. [default: all]")
@click.option("--days", type=click.IntRange(min=2), help="How many. [20; 2 with --quick]")
def days(session: Session, arms: tuple[str, ...], days: int | None) -> Outcome:
    """Days with drifting interests: accuracy, ATP, and what trust and dreams are each worth in them.

    Each night of the arms that dream takes minutes: what was found is kept in ~/.cache/sage, and another run goes on
    from there, night by night, also within a dream.

    \b
    Example: sage experiment days --arm fast --arm both --timeout 3h --out report
    """
    from experiments.days.experiment import measure

    return measure(session, arms, days)
