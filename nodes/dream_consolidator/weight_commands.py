"""`sage bench training`."""

from __future__ import annotations

import click

from runtime.bench.session import Outcome, Session, measured


@click.command("training")
@measured("training")
@click.option("--shape", default="sensory", show_default=True, help="A level of configs/levels.qwen.yaml.")
@click.option("--device", type=click.Choice(("cpu", "cuda")), default="cpu", show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Of torch.")
def bench_training(session: Session, shape: str, device: str, threads: int) -> Outcome:
    """What training a true shape takes: peak memory, seconds a step, and how many tokens at once fit 16 GB."""
    from nodes.dream_consolidator.weight import measure

    return measure(session, shape=shape, device=device, threads=threads)
