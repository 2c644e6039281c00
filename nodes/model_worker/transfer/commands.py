"""`sage transfer …`: maps from one model's attention state to another's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from nodes.model_worker.texts import Progress, cut, read, text_options
from runtime import console

if TYPE_CHECKING:
    from nodes.model_worker.transfer.maps import Card


@click.group()
def transfer() -> None:
    """Attention state from one model to another, without reading the text again."""


@transfer.command()
@click.argument("source")
@click.argument("target")
@text_options
@click.option(
    "--sources", type=click.Choice(["stacked", "nearest", "mapped"]), default="stacked", show_default=True,
    help="Source layers that each target layer is made of: all, the three nearest in depth, or the nearest.",
)  # fmt: skip
@click.option("--rank", type=click.IntRange(min=1), help="Of each map: less is faster. [full]")
@console.common(timeout=3600)
def fit(
    source: str,
    target: str,
    text: Path,
    file: str,
    length: int,
    sources: str,
    rank: int | None,
    as_json: bool,
    timeout: float,
) -> None:
    """Fit a map from the level SOURCE to the level TARGET, to texts that both models read.

    The texts are JSON Lines, each {"messages": [{"role": …, "content": …}, …]} or {"text": …}. They are cut into
    contexts of --length tokens; a tenth of those only measures. Stopped, it goes on where it was.

    \b
    Example: sage transfer fit specialized tactical --text conversations.jsonl
    """
    from nodes.model_worker import levels, loading
    from nodes.model_worker.transfer import maps
    from nodes.model_worker.transfer.fit import fit as fit_map
    from runtime.paths import state_dir

    known = levels.load(file)
    first, second = (loading.load(known.by_name(name)) for name in (source, target))
    contexts = list(cut(read(text), first, length))
    folder = state_dir() / maps.FOLDER
    found = fit_map(
        first,
        second,
        contexts,
        names=(source, target),
        folder=folder,
        sources=sources,  # type: ignore[arg-type]
        rank=rank,
        report=Progress(timeout),
    )
    path = maps.path_of(state_dir(), first.version, second.version)
    maps.save(path, found.projector, found.card)
    if as_json:
        console.show_json({**console.plain(found.card), "path": str(path)})
    else:
        click.echo(line(found.card))
        click.echo(f"written to {path}")


@transfer.command("list")
@console.common(timeout=30)
def list_(as_json: bool, timeout: float) -> None:
    """The maps there are, and what was measured of each."""
    from nodes.model_worker.transfer import maps
    from runtime.paths import state_dir

    for path, card in maps.cards(state_dir()).items():
        if as_json:
            known = {"problem": card} if isinstance(card, str) else console.plain(card)
            console.show_json({"path": str(path), **known})
        else:
            click.echo(card if isinstance(card, str) else line(card))


def line(card: Card) -> str:
    rank = f"rank {card.rank}" if card.rank else "full rank"
    return (
        f"{card.source_name} → {card.target_name}: {card.sources}, {rank}, {card.parameters:,} parameters, "
        f"{card.tokens:,} tokens; {card.explained:.1%} of the variance, surprise {card.surprise:.2f}"
    )
