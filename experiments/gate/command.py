"""`sage experiment gate`."""

from __future__ import annotations

import click

from runtime.bench.session import Outcome, Session, measured


@click.command()
@measured("gate")
def gate(session: Session) -> Outcome:
    """What a dream's ruling lets through: real trainings, good ones and spoiled ones, judged many times over.

    Each training takes a minute or so, is run once and kept in ~/.cache/sage: one that is interrupted goes on with the
    next training.
    """
    from experiments.gate.experiment import measure

    return measure(session)
