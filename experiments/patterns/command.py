"""`sage bench patterns`."""

from __future__ import annotations

import click

from runtime.bench.session import Outcome, Session, measured


@click.command()
@measured("patterns")
def patterns(session: Session) -> Outcome:
    """Patterns on a trap set: what is answered wrongly, what is missed, and how long it takes to find out."""
    from experiments.patterns.bench import measure

    return measure(session)
