"""`sage experiment distillation`."""

from __future__ import annotations

import click

from runtime.bench.session import Outcome, Session, measured


@click.command()
@measured("distillation")
@click.option("--arm", "arms", multiple=True, help="Only this one; may be given again. [default: all]")
@click.option("--days", type=click.IntRange(min=1), help="How many. [5; 1 with --quick]")
@click.option("--beside-trl", "trl", metavar="PYTHON", help="Instead: one day through TRL's trainers, by this Python.")
def distillation(session: Session, arms: tuple[str, ...], days: int | None, trl: str | None) -> Outcome:
    """A dream after a simulated day: the large model teaches the small one; what it gained, and what it lost.

    All arms on five days take hours: what was found is kept in ~/.cache/sage, and another run goes on from there.

    With --beside-trl the lessons of one day go through TRL's trainers too, in an environment of their own:
    `python3 -m venv trl && trl/bin/pip install torch==2.13.0 trl`.

    \b
    Example: sage experiment distillation --arm shipped --timeout 3h --out report
    """
    if trl is not None:
        if arms or days is not None:
            raise click.UsageError("--beside-trl compares one day, that of --seed; leave --arm and --days out")
        from experiments.distillation import beside_trl

        return beside_trl.measure(session, trl)
    from experiments.distillation.experiment import measure

    return measure(session, arms, days)
