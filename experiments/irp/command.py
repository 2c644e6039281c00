"""`sage bench irp`."""

from __future__ import annotations

import click

from runtime.bench.session import Outcome, Session, measured


@click.command()
@measured("irp")
@click.option("--queries", type=click.IntRange(min=20), help="Held-out questions. [200; 50 with --quick]")
@click.option(
    "--doubt",
    default="{question}",
    show_default=True,
    help="What a level is asked the second time; may name {doubt}, {question}, {answer}.",
)
def irp(session: Session, queries: int | None, doubt: str) -> Outcome:
    """Iterative refinement on held-out questions: energy reached, and whether it tells right answers from wrong."""
    from experiments.irp.bench import measure

    return measure(session, queries or (50 if session.quick else 200), doubt)
