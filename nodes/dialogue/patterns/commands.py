"""`sage patterns`: what is answered without a model, and what is proposed to be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runtime import console

if TYPE_CHECKING:
    from protocol.messages.patterns import PatternDecided, PatternRemoved, PatternsListed, Proposals

DIALOGUE = "dialogue"


@click.group()
def patterns() -> None:
    """What is answered at once, without a model; and questions that may become such."""


@patterns.command("list")
@console.common(timeout=5)
def list_patterns(*, as_json: bool, timeout: float) -> None:
    """The patterns in force: those of the file, and those that were learned."""
    from protocol.messages.patterns import ListPatterns

    listed: PatternsListed = _asked(ListPatterns(), timeout)
    if as_json:
        console.show_json(listed)
        return
    rows = [
        (one.name, f"learned, v{one.version} by {one.by}" if one.source == "learned" else one.source, *_said(one))
        for one in listed.patterns
    ]
    click.echo(console.table(rows, header=("pattern", "from", "phrases", "answer")))
    click.echo(f"{listed.path}, read {listed.reads} times")
    if listed.problem:
        click.echo(click.style(listed.problem, fg="red"), err=True)


@patterns.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--say", "sentences", multiple=True, metavar="TEXT", help="Also say what would answer TEXT.")
@console.common(timeout=None)
def check(*, file: Path | None, sentences: tuple[str, ...], as_json: bool, timeout: float | None) -> None:
    """Read a FILE of patterns [configs/patterns.yaml] and let each prove itself by its examples; nothing has to run.

    \b
    Example: sage patterns check my-patterns.yaml --say "what time is it in paris"
    """
    from nodes.dialogue.patterns import SHIPPED, load

    known = load(file or SHIPPED)
    found = {text: match.name if (match := known.match(text)) else "" for text in sentences}
    examples = sum(len(pattern.positive) + len(pattern.negative) for pattern in known.patterns)
    if as_json:
        counted = {"patterns": len(known.patterns), "examples": examples, "heard": len(known.phrases)}
        console.show_json({**counted, "answered_by": found})
        return
    click.echo(f"{len(known.patterns)} patterns hold, with {examples} examples; the ears expect {len(known.phrases)}")
    for text, name in found.items():
        click.echo(f"{text!r}: {name or 'no pattern'}")


@patterns.command()
@click.option("--all", "everything", is_flag=True, help="Also what is watched, and what was decided.")
@console.common(timeout=5)
def proposed(*, everything: bool, as_json: bool, timeout: float) -> None:
    """Questions that are always answered alike, with what was shown of each. Nothing is accepted by itself.

    \b
    Accept one with `sage patterns accept ID`, or reject it for good.
    """
    from protocol.messages.patterns import ListProposals

    found: Proposals = _asked(ListProposals(all=everything), timeout)
    if as_json:
        for each in found.proposals:
            console.show_json(each)
        return
    if not found.proposals:
        click.echo("nothing is proposed", err=True)
    for each in found.proposals:
        click.echo(f"{click.style(each.ident, bold=True)}  {each.standing}  {each.question!r} → {each.answer!r}")
        click.echo(f"    {each.grounds}")
        if each.lacking:
            click.echo(f"    lacking: {'; '.join(each.lacking)}")


@patterns.command()
@click.argument("ident")
@click.option("--by", default="", help="Who decides. [the user of this machine]")
@console.common(timeout=5)
def accept(*, ident: str, by: str, as_json: bool, timeout: float) -> None:
    """Let the proposal IDENT (a beginning is enough) be answered at once from now on."""
    decided = _decided(ident, True, by, timeout)
    if as_json:
        console.show_json(decided)
    else:
        click.echo(f"{decided.name}, version {decided.version}: {decided.question!r} → {decided.answer!r}")


@patterns.command()
@click.argument("ident")
@click.option("--by", default="", help="Who decides. [the user of this machine]")
@console.common(timeout=5)
def reject(*, ident: str, by: str, as_json: bool, timeout: float) -> None:
    """Let the proposal IDENT (a beginning is enough) never be proposed again."""
    decided = _decided(ident, False, by, timeout)
    if as_json:
        console.show_json(decided)
    else:
        click.echo(f"{decided.question!r} is not proposed any more")


@patterns.command()
@click.argument("name")
@console.common(timeout=5)
def remove(*, name: str, as_json: bool, timeout: float) -> None:
    """Take the learned pattern NAME out of force and forget every version of it; it is not proposed again."""
    from protocol.messages.patterns import RemovePattern

    removed: PatternRemoved = _asked(RemovePattern(name=name), timeout)
    if as_json:
        console.show_json(removed)
    else:
        click.echo(f"{removed.name} is removed, {removed.versions} version{'s' if removed.versions > 1 else ''}")


def _decided(ident: str, accept: bool, by: str, timeout: float) -> PatternDecided:
    from protocol.messages.patterns import DecidePattern

    decided: PatternDecided = _asked(DecidePattern(ident=ident, accept=accept, by=by or _user()), timeout)
    return decided


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"


def _said(one: Any) -> tuple[str, str]:
    further = len(one.phrases) - 1
    return f"{one.phrases[0]}{f' and {further} more' if further else ''}", one.answer


def _asked(request: Any, timeout: float) -> Any:
    return console.run(_ask(request, timeout), timeout + 1)


async def _ask(request: Any, timeout: float) -> Any:
    from runtime.client import Client

    async with Client.connect(name="patterns", deadline=timeout) as client:
        return await client.call(DIALOGUE, request, deadline=timeout)
