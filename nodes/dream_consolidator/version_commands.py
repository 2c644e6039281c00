"""`sage dream history`, `show`, `diff` and `rollback`: the dreams there were, and the versions they left."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from runtime import console

if TYPE_CHECKING:
    from protocol.messages.dream import DreamRecord, DreamShown, History, Lineage, RolledBack

CONSOLIDATOR = "dream_consolidator"
_COMPARED = ("level", "digest", "parent", "base_version", "teacher", "data_digest", "examples", "code", "settings")


@click.command()
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many dreams.")
@console.common(timeout=5)
def history(limit: int, as_json: bool, timeout: float) -> None:
    """Show the dreams there were, newest first, and every version they left, with what it is now."""
    from protocol.messages.dream import HistoryRequest

    found: History = console.run(_ask(HistoryRequest(limit=limit), timeout), timeout)
    if as_json:
        console.show_json(found)
        return
    if not found.dreams:
        click.echo("no dream was ended yet")
        return
    rows = [_row(each) for each in found.dreams]
    click.echo(console.table(rows, header=("dream", "ended", "level", "outcome", "examples", "took")))
    if found.versions:
        click.echo()
        versions = [(each.digest, each.level, state_of(each), each.dream, each.why) for each in found.versions]
        click.echo(console.table(versions, header=("weights", "level", "is", "dream", "why")))


@click.command()
@click.argument("ident", default="last")
@console.common(timeout=5)
def show(ident: str, as_json: bool, timeout: float) -> None:
    """Show one dream: its verdict with every number, and the lineage of what it left.

    IDENT is the beginning of a dream's name or of the digest of its weights; without one, the last dream.

    \b
    Example: sage dream show 019a
    """
    found = _shown(ident, timeout)
    if as_json:
        console.show_json(found)
    else:
        click.echo(page_of(found))


@click.command()
@click.argument("one")
@click.argument("other")
@console.common(timeout=5)
def diff(one: str, other: str, as_json: bool, timeout: float) -> None:
    """Show in what two dreams, or the versions they left, differ.

    \b
    Example: sage dream diff 3f9a 77c0
    """
    differences = differing(_shown(one, timeout), _shown(other, timeout))
    if as_json:
        for name, before, after in differences:
            console.show_json({"field": name, "one": before, "other": after})
    elif differences:
        click.echo(console.table(differences, header=("", one, other)))
    else:
        click.echo("they do not differ")


@click.command()
@click.argument("level")
@click.option("--to", default="", help="Beginning of the digest to go back to, or `base`.")
@click.option("--reason", default="asked", show_default=True, help="Why; it is kept with the version.")
@console.common(timeout=10)
def rollback(level: str, to: str, reason: str, as_json: bool, timeout: float) -> None:
    """Have LEVEL answer with an earlier version; where a challenger is on trial, end only that unless --to is given.

    \b
    Example: sage dream rollback sensory
    """
    from protocol.messages.dream import RollBack

    done: RolledBack = console.run(_ask(RollBack(level=level, to=to, reason=reason), timeout), timeout)
    if as_json:
        console.show_json(done)
        return
    now = f"weights {done.digest}" if done.digest else "its own model"
    click.echo(f"{done.level} no longer answers with {done.withdrawn or 'its own model'}, but with {now}")


def page_of(found: DreamShown) -> str:
    """A dream as people read it."""
    from nodes.dream_consolidator.validation.verdict import page

    parts = [page(found.dream.completed)] if found.dream else []
    if found.lineage is not None:
        parts.append("\n".join(["## Weights", "", *lineage_lines(found.lineage)]) + "\n")
    return "\n".join(parts)


def lineage_lines(lineage: Lineage) -> list[str]:
    """Where a version comes from, and what it is now."""
    lines = [f"{lineage.digest} of {lineage.level}: {state_of(lineage)}{f'; {lineage.why}' if lineage.why else ''}"]
    if not lineage.signed_by:
        return [*lines, "its record was refused, so it is not put in force"]
    data = f"{lineage.examples} exchanges, digest {lineage.data_digest}" if lineage.examples else "not written down"
    lines += [
        f"before it: {lineage.parent or 'the own model'}; learned from the level's own weights {lineage.base_version}",
        f"teacher: {lineage.teacher or 'not written down'}; data: {data}",
        f"code {lineage.code}; settings {lineage.settings or 'not written down'}; made {_when(lineage.made_ns)}",
        f"signed by {lineage.signed_by}",
    ]
    if lineage.standing is not None:
        told = lineage.standing
        lines.append(
            f"on trial since {_when(told.since_ns)}: {told.right} of {told.judged} right, the others "
            f"{told.champion_right} of {told.champion_judged}; evidence {told.harm:.1f}:1 that it is worse, "
            f"{told.good:.1f}:1 that it is not"
        )
    return lines


def differing(one: DreamShown, other: DreamShown) -> list[tuple[str, str, str]]:
    """What is not the same in both: name and both values."""
    before, after = _facts(one), _facts(other)
    return [
        (name, before.get(name, "-"), after.get(name, "-"))
        for name in dict.fromkeys((*before, *after))
        if before.get(name) != after.get(name)
    ]


def state_of(lineage: Lineage) -> str:
    return f"{lineage.state}, forgotten-data" if lineage.forgotten else lineage.state


def _facts(shown: DreamShown) -> dict[str, str]:
    facts: dict[str, str] = {}
    if shown.lineage is not None:
        for name in (
            "level",
            "digest",
            "parent",
            "base_version",
            "teacher",
            "data_digest",
            "examples",
            "code",
            "settings",
        ):
            facts[name] = str(getattr(shown.lineage, name)) or "-"
        facts["is"] = state_of(shown.lineage)
    if shown.dream is not None:
        completed = shown.dream.completed
        charged = "" if shown.atp is None else f", {shown.atp:.1f} ATP"
        took = f"{completed.seconds:.0f} s, {completed.cpu_s:.0f} processor s{charged}"
        facts |= {"dream": completed.dream, "took": took}
        facts |= {f"{each.name} after": f"{each.after:.1%} of {each.questions}" for each in completed.results}
        facts |= {f"check: {each.name}": f"{each.found} ({each.required})" for each in completed.checks}
    return facts


def _row(record: DreamRecord) -> tuple[str, ...]:
    completed = record.completed
    return (
        completed.dream,
        _when(record.ended_ns),
        completed.level,
        "promoted" if completed.promoted else "refused",
        str(completed.examples),
        console.age(completed.seconds),
    )


def _when(wall_ns: int) -> str:
    if not wall_ns:
        return "at a time that nobody wrote down"
    return datetime.fromtimestamp(wall_ns / 1e9).astimezone().strftime("%Y-%m-%d %H:%M")


def _shown(ident: str, timeout: float) -> DreamShown:
    from protocol.messages.dream import ShowDream

    found: DreamShown = console.run(_ask(ShowDream(ident=ident), timeout), timeout)
    return found


async def _ask(request: Any, timeout: float) -> Any:
    from runtime.client import Client

    async with Client.connect(name="dream", deadline=timeout) as client:
        return await client.call(CONSOLIDATOR, request, deadline=timeout)
