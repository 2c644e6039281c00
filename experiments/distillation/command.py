"""`sage experiment distillation`."""

from __future__ import annotations

import click

from runtime.bench.session import Outcome, Session, measured


@click.command()
@measured("distillation")
@click.option("--arm", "arms", multiple=True, help="Only this one; may be given again. [default: all]")
@click.option("--days", type=click.IntRange(min=1), help="How many. [5; 1 with --quick]")
def distillation(session: Session, arms: tuple[str, ...], days: int | None) -> Outcome:
    """A dream after a simulated day: the large model teaches the small one; what it gained, and what it lost.

    All arms on five days take hours: what was found is kept in ~/.cache/sage, and another run goes on from there.

    \b
    Example: sage experiment distillation --arm shipped --timeout 3h --out report
    """
    from experiments.distillation.experiment import measure

    return measure(session, arms, days)
