"""`sage experiment gate`."""

from __future__ import annotations

import click

from runtime.bench.session import Outcome, Session, measured


@click.command()
@measured("gate")
def gate(session: Session) -> Outcome:
    """What a dream's ruling lets through: real trainings, good ones and spoiled ones, judged many times over.

    A spoiled training takes a minute or two, a real improvement some ten: allow two hours by --timeout the first time.
    Each is run once and kept in ~/.cache/sage, so that a run that was interrupted goes on with the next training.
    """
    from experiments.gate.experiment import measure

    return measure(session)
