"""`sage experiment metabolism`."""

from __future__ import annotations

from pathlib import Path

import click

from runtime.bench.session import Outcome, Session, measured


@click.command()
@measured("metabolism")
@click.option("--course", default="day", show_default=True, help="Which days follow each other: day or week.")
@click.option(
    "--config",
    "settings",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The machine to try. [default: configs/metabolism.yaml]",
)
@click.option(
    "--dreams", is_flag=True, help="Instead: one day of real questions, its dream dreamt, and the next morning."
)
def metabolism(session: Session, course: str, settings: Path | None, dreams: bool) -> Outcome:
    """A simulated day: the metabolism against one that never sleeps, and one that changes by chance.

    With --dreams the dreamer itself dreams where the machine finds the time, of the day of --seed, and the small model
    is examined before and after. That takes minutes.
    """
    from experiments.metabolism.experiment import machine, measure

    if dreams:
        if course != "day":
            raise click.UsageError("--dreams lives one day; leave --course out")
        from experiments.metabolism import dreamt

        return dreamt.measure(session, machine(settings)[1])
    return measure(session, course, settings)
