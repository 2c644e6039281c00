"""`sage bench snarc`: whether salience answers to its causes."""

from __future__ import annotations

import click

from runtime.bench.session import Outcome, Session, measured


@click.command("snarc")
@measured("snarc")
def bench_snarc(session: Session) -> Outcome:
    """Surprise, novelty, arousal, reward, conflict: each against planted causes, the forerunner's sigmoids beside."""
    from experiments.snarc.bench import measure

    return measure(session)
