"""`sage models …`: the models that ship, how good they are, and how they were made."""

from pathlib import Path
from typing import Any

import click

from experiments.reference.courses import COURSES, FIRST
from experiments.reference.diet import DIETS
from runtime import console
from runtime.bench.session import Outcome, Session, measured

NAMES = tuple(DIETS)


@click.group()
def models() -> None:
    """The small models that ship with sage: look at them, check them, measure them, make them anew."""


@models.command("list")
@console.common(timeout=10)
def list_(as_json: bool, timeout: float) -> None:
    """Show every size: parameters, shape, bytes on disk, version."""
    from experiments.reference.catalogue import summary

    found = [summary(name) for name in NAMES]
    if as_json:
        for one in found:
            console.show_json(one)
        return
    rows = [
        (
            one["size"],
            f"{one['parameters']:,}",
            f"{one['layers']} x {one['width']}",
            f"{one['heads']}/{one['kv_heads']} x {one['head_dim']}",
            console.size(one["bytes"]),
            one["version"],
        )
        for one in found
    ]
    click.echo(
        console.table(rows, header=("size", "parameters", "layers x width", "heads/kv x dim", "on disk", "version"))
    )


@models.command()
@click.argument("size", type=click.Choice(NAMES))
@console.common(timeout=10)
def info(size: str, as_json: bool, timeout: float) -> None:
    """Show one size: its shape, where it lies, and how it answered held-out questions when it was released."""
    from experiments.reference.catalogue import released_figures, summary

    one = summary(size)
    figures = released_figures()["figures"][size]
    if as_json:
        console.show_json({**one, "figures": figures})
        return
    for name, value in one.items():
        click.echo(f"{name:11} {value:,}" if isinstance(value, int) else f"{name:11} {value}")
    rows = [
        (skill, f"{it['share']:.3f}", f"{it['low']:.3f}–{it['high']:.3f}", it["n"], f"{it['confidence']:.2f}")
        for skill, it in figures["skills"].items()
    ]
    click.echo("\n" + console.table(rows, header=("skill/difficulty", "right", "95%", "n", "confidence")))


@models.command()
@console.common(timeout=30)
def verify(as_json: bool, timeout: float) -> None:
    """Compare every file of the weights with the sums recorded at their release. Exit code 1 if one differs."""
    from experiments.reference import integrity
    from experiments.reference.family import WEIGHTS

    found = integrity.differences(WEIGHTS)
    if as_json:
        console.show_json({"version": integrity.version(WEIGHTS), "intact": not found, "differences": found})
    else:
        click.echo("\n".join(found) if found else f"intact, version {integrity.version(WEIGHTS)}")
    if found:
        raise SystemExit(console.FAILED)


@models.command()
@measured("models evaluate")
@click.option("--size", "sizes", type=click.Choice(NAMES), multiple=True, help="Only this size; may be repeated.")
@click.option("--count", type=click.IntRange(min=1), default=500, show_default=True, help="Questions of every skill.")
@click.option(
    "--weights", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Another family's folder."
)
def evaluate(session: Session, sizes: tuple[str, ...], count: int, weights: Path | None) -> Outcome:
    """Ask every size held-out questions of every skill; shares with intervals, confidence, calibration."""
    from experiments.reference.report import measure

    return measure(session, sizes or NAMES, 30 if session.quick else count, weights)


@models.command("train-reference")
@click.option("--size", type=click.Choice(NAMES), required=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder to train into.")
@click.option("--course", type=click.Choice(tuple(COURSES)), default=FIRST.name, show_default=True)
@click.option(
    "--from",
    "base",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder that the course before left.",
)
@click.option("--tokens", type=click.IntRange(min=1), help="How many to learn from. [as released]")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--device", type=click.Choice(("cpu", "cuda")), default="cpu", show_default=True)
@click.option("--stop-after", type=click.IntRange(min=1), help="Leave after so many steps, with a checkpoint.")
@click.option(
    "--packers", type=click.IntRange(min=0), default=0, show_default=True, help="Processes that keep a GPU fed."
)
@console.common(timeout=None)
def train_reference(
    as_json: bool, timeout: float | None, base: Path | None, stop_after: int | None, packers: int, **given: Any
) -> None:
    """Train one size from nothing, or go on where a killed run left its last checkpoint in the folder.

    Five courses make the family as released, each into a folder of its own: first, revision, finish, polish, far.

    The same seed and threads give the same weights. Exit code 4 if --timeout passed: run it again to go on.
    """
    from dataclasses import asdict

    from experiments.reference import train

    out: Path = given.pop("out")
    settings = train.Settings(**{**given, "tokens": given["tokens"] or 0})

    def report(progress: train.Progress) -> None:
        if as_json:
            console.show_json(asdict(progress))
        else:
            click.echo(train.progress_line(progress), err=True)

    finished = train.train(settings, out, report, train.Conduct(base, stop_after, timeout, packers))
    if as_json:
        console.show_json({"finished": finished, "folder": str(out)})
    else:
        click.echo(f"{'saved' if finished else 'stopped, to be gone on with'} in {out}")
    if not finished and stop_after is None:
        raise SystemExit(console.TIMED_OUT)
