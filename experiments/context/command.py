"""`sage bench context`: whether the sense of context tells the four kinds of moments apart, and how fast."""

from __future__ import annotations

import click

from runtime.bench.session import Outcome, Session, measured


@click.command("context")
@measured("context")
def bench_context(session: Session) -> Outcome:
    """Held-out dialogues and hand-written traps, with nothing known and much known; the forerunner's rules beside."""
    from experiments.context.measure import measure

    return measure(session)
