"""`sage context …`: what kind of moment something would make, and word vectors to tell it by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runtime import console
from runtime.verbs import Verbs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodes.context_classifier.export import Line
    from protocol.messages.context import ContextExplained

CLASSIFIER = "context_classifier"


@click.group(cls=Verbs, points="sage.context")
def context() -> None:
    """Stable, moving, unstable or novel: what kind of moment it is, and why."""


@context.command()
@click.argument("text")
@click.option("--session", default="", help="The conversation that TEXT would come up in. [a new one]")
@console.common(timeout=5)
def explain(text: str, session: str, as_json: bool, timeout: float) -> None:
    """Ask the running sense of context what TEXT would be now. Nothing is learned from asking.

    Shows the probability of each context, the nearest thing known, where the conversation has been, what TEXT
    contradicts, and how all of it was weighed.
    """
    from protocol.messages.context import ExplainContext

    found: ContextExplained = console.run(_ask(ExplainContext(text=text, session=session), timeout), timeout)
    if as_json:
        console.show_json(found)
        return
    click.echo(f"{click.style(found.context, bold=True)} ({found.confidence:.0%}): {found.why}\n")
    click.echo(console.table(list(_rows(found)), header=("seen", "", "")))
    click.echo()
    rows = [
        (question, " ".join(f"{name} {value:+.2f}" for name, value in adds.items() if abs(value) >= 0.005))
        for question, adds in found.weighed.items()
    ]
    click.echo(console.table(rows, header=("question", "log odds of yes, added up")))


@context.command()
@click.option("--model", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder of a model.")
@click.option(
    "--text",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="One utterance a line; its answer after a tab, where there is one.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Where the table goes.")
@console.common(timeout=600)
def export(model: Path | None, text: Path | None, out: Path, as_json: bool, timeout: float) -> None:
    """Write word vectors for the encoder `tokens`: of a model's token embeddings, of text, or of both.

    Needs no torch. The file's path then goes into configs/context.yaml under encoder: words.
    """
    from nodes.context_classifier.embeddings import WordTable
    from nodes.context_classifier.export import table
    from runtime.paths import write_atomically

    write_atomically(out, table(model, list(_lines(text)) if text else []), mode=0o644)
    made = WordTable(out)
    row = {"path": str(out), "words": made.count, "blocks": made.blocks, "bytes": out.stat().st_size}
    if as_json:
        console.show_json(row)
    else:
        blocks = ", ".join(f"{name} {width}" for name, width in made.blocks.items())
        click.echo(f"{out}: {made.count:,} words ({blocks}), {console.size(out.stat().st_size)}")


def _lines(path: Path) -> Iterator[Line]:
    from nodes.context_classifier.export import Line

    for line in path.read_text(encoding="utf-8").splitlines():
        said, _, answer = line.partition("\t")
        if said.strip():
            yield Line(said, answer)


async def _ask(request: object, timeout: float) -> ContextExplained:
    from runtime.client import Client

    async with Client.connect(name="context", deadline=timeout) as client:
        found: ContextExplained = await client.call(CLASSIFIER, request, deadline=timeout)
        return found


def _rows(found: ContextExplained) -> Iterator[tuple[object, ...]]:
    for kind, probability in sorted(found.probabilities.items(), key=lambda item: -item[1]):
        yield kind, f"{probability:.3f}", ""
    yield "encoder", found.encoder, found.fingerprint
    nearest = f"group {found.nearest}, met {found.members} times" if found.nearest >= 0 else "nothing is known yet"
    yield "nearest known", f"{found.similarity:.2f}", nearest
    yield "conversation", found.turns, "inputs remembered" if found.turns else "it begins with this"
    if found.turns:
        yield "  to where it is", f"{found.continuity or 0:.2f}", ""
        yield "  to the last input", f"{found.last or 0:.2f}", ""
        yield "  to the most alike", f"{found.echo:.2f}", f"the same words {found.repeats} times"
        yield "  in what it means", f"{found.meant:.2f}", f"run of {found.run}"
        yield "  speaks of the same", f"{found.kinship:.2f}", ""
        yield "  built alike", f"{found.parallel:.2f}", ""
        yield "  rate of change", f"{found.drift:.2f}", ""
        yield "  to and fro", f"{found.swinging:.2f}", ""
        yield "contradiction", f"{found.contradiction:.2f}", found.against
