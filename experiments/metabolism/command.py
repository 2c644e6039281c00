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
def metabolism(session: Session, course: str, settings: Path | None) -> Outcome:
    """A simulated day: the metabolism against one that never sleeps, and one that changes by chance."""
    from experiments.metabolism.experiment import measure

    return measure(session, course, settings)
