"""`sage experiment trust`."""

from __future__ import annotations

import click

from runtime.bench.session import Outcome, Session, measured


@click.command()
@measured("trust")
def trust(session: Session) -> Outcome:
    """Which level answers: this system's choice beside its rivals and an oracle, on held-out questions.

    The answers of all levels are computed once (some minutes) and kept in ~/.cache/sage.
    """
    from experiments.trust.experiment import measure

    return measure(session)
