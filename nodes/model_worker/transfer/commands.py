"""`sage transfer …`: maps from one model's attention state to another's."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from protocol.errors import BadRequest, DeadlineExceeded
from runtime import console

if TYPE_CHECKING:
    from nodes.model_worker.loading import LoadedModel
    from nodes.model_worker.transfer.maps import Card


@click.group()
def transfer() -> None:
    """Attention state from one model to another, without reading the text again."""


@transfer.command()
@click.argument("source")
@click.argument("target")
@click.option("--text", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True, help="See above.")
@click.option("--levels", "file", default="configs/levels.yaml", show_default=True, help="The levels file.")
@click.option("--length", type=click.IntRange(min=128), default=512, show_default=True, help="Tokens of a context.")
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


def read(path: Path) -> Iterator[Any]:
    """Each line of a JSON Lines file. BadRequest for one that says no text, with its number."""
    with path.open(encoding="utf-8") as lines:
        for number, text in enumerate(lines, start=1):
            try:
                found = json.loads(text)
                if isinstance(found, dict) and ("messages" in found or "text" in found):
                    yield found
                    continue
            except ValueError:
                pass
            raise BadRequest(
                f"line {number} is no text",
                place=str(path),
                remedy='each line is {"messages": [{"role": "user", "content": "…"}, …]} or {"text": "…"}',
            )


def cut(texts: Iterator[Any], loaded: LoadedModel, length: int) -> Iterator[Sequence[int]]:
    """Token ids of the texts, in contexts of so many; what is left of a text is a shorter one."""
    from protocol.messages.model import ChatMessage

    for each in texts:
        text = each.get("text")
        if text is None:
            messages = [ChatMessage(role=one["role"], content=one["content"]) for one in each["messages"]]
            text = loaded.tokenizer.render(messages)
        ids = loaded.tokenizer.encode(text).ids
        for start in range(0, len(ids), length):
            yield ids[start : start + length]


class Progress:
    """Shows on a terminal how far it is, and ends it between two contexts once the time is over."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._began = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        gone = time.monotonic() - self._began
        if gone > self._timeout:
            raise DeadlineExceeded(
                f"{done} of {total} contexts within {self._timeout:g} s",
                remedy="the same command goes on from there; give it longer with --timeout",
            )
        if sys.stderr.isatty():
            click.echo(f"\r{done / total:4.0%}  {done}/{total} contexts, {gone:.0f} s", err=True, nl=done == total)
