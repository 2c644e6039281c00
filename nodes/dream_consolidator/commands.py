"""`sage dream`: what is kept to learn from, what dreams taught, and a dream by hand."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from nodes.dream_consolidator.forget_commands import examples, forget
from nodes.dream_consolidator.version_commands import diff, history, rollback, show
from protocol.errors import DeadlineExceeded
from runtime import console

if TYPE_CHECKING:
    from protocol.messages.dream import DreamCompleted, DreamProgress, DreamStatus, DreamStopped

CONSOLIDATOR = "dream_consolidator"


@click.group()
def dream() -> None:
    """What small models learn from large ones while nobody is there."""


for _verb in (examples, forget, history, show, diff, rollback):
    dream.add_command(_verb)


@dream.command()
@console.common(timeout=5)
def status(as_json: bool, timeout: float) -> None:
    """Show how many examples are kept, how the last dream ended, and which levels answer with learned weights."""
    found: DreamStatus = console.run(_status(timeout), timeout)
    if as_json:
        console.show_json(found)
        return
    click.echo(f"{found.examples} examples kept; {'dreaming' if found.dreaming else 'not dreaming'}")
    for adapter in found.adapters:
        click.echo(f"{adapter.level} answers with weights {adapter.digest}, learned in dream {adapter.dream[:12]}")
    for challenger in found.challengers:
        adapter = challenger.adapter
        click.echo(f"{adapter.level} tries weights {adapter.digest} on {challenger.share:.0%} of conversations")
    if found.last is not None:
        click.echo(told(found.last))


@dream.command()
@click.option("--reason", default="asked", show_default=True, help="Why; it is logged.")
@console.common(timeout=3600)
def now(reason: str, as_json: bool, timeout: float) -> None:
    """Dream now, or follow the dream there is, to its end; how much is due and since when does not count.

    Ctrl-C and --timeout leave it to go on alone; `sage dream stop` interrupts it. Where stderr is no terminal, each
    stage is one line. With --json: one line for every DreamProgress, then the DreamCompleted. Exit code 1 if the dream
    was interrupted.

    \b
    Example: sage dream now --timeout 600
    """
    try:
        ended: DreamCompleted = console.run(_now(reason, as_json, timeout), timeout + 1)
    except (KeyboardInterrupt, DeadlineExceeded):
        click.echo("the dream goes on; `sage dream now` follows it, `sage dream stop` interrupts it", err=True)
        raise
    if as_json:
        console.show_json(ended)
    else:
        click.echo(told(ended))
    if ended.interrupted:
        raise SystemExit(console.FAILED)


@dream.command()
@console.common(timeout=10)
def stop(as_json: bool, timeout: float) -> None:
    """Interrupt the dream there is. It goes on from there when the whole dreams again, or with `sage dream now`."""
    stopped: DreamStopped = console.run(_stop(timeout), timeout)
    if as_json:
        console.show_json(stopped)
    else:
        click.echo(f"dream {stopped.dream[:12]} interrupted" if stopped.dream else "there is no dream under way")


async def _status(timeout: float) -> DreamStatus:
    from protocol.messages.dream import DreamStatusRequest
    from runtime.client import Client

    async with Client.connect(name="dream", deadline=timeout) as client:
        found: DreamStatus = await client.call(CONSOLIDATOR, DreamStatusRequest(), deadline=timeout)
        return found


async def _stop(timeout: float) -> DreamStopped:
    from protocol.messages.dream import StopDream
    from runtime.client import Client

    async with Client.connect(name="dream", deadline=timeout) as client:
        stopped: DreamStopped = await client.call(CONSOLIDATOR, StopDream(), deadline=timeout)
        return stopped


async def _now(reason: str, as_json: bool, timeout: float) -> DreamCompleted:
    from protocol.messages.dream import StartDream
    from runtime.client import Client

    live, stage = sys.stderr.isatty(), ""
    async with (
        Client.connect(name="dream") as client,
        client.stream(CONSOLIDATOR, StartDream(reason=reason), deadline=timeout) as parts,
    ):
        async for progress in parts:
            if as_json:
                console.show_json(progress)
            elif live:
                click.echo(f"\r\x1b[K{stage_line(progress)}", err=True, nl=False)
            elif progress.stage != stage:
                click.echo(stage_line(progress), err=True)
            stage = progress.stage
        if live and not as_json:
            click.echo("\r\x1b[K", err=True, nl=False)
        ended: DreamCompleted = parts.reply
        return ended


def stage_line(progress: DreamProgress) -> str:
    """One line of where a dream stands: stage, percent, rate, time left, loss."""
    percent = 100 * progress.done / progress.total if progress.total else 0.0
    parts = [f"{progress.stage} {percent:.0f}% ({progress.done}/{progress.total})"]
    if progress.rate:
        parts.append(f"{progress.rate:.1f}/s")
    if progress.remaining_s is not None:
        parts.append(f"{console.age(progress.remaining_s)} left")
    if progress.loss is not None:
        parts.append(f"loss {progress.loss:.3f}")
    return ", ".join(parts)


def told(ended: DreamCompleted) -> str:
    """A dream's end for people: what became of it and why, and every stratum before and after."""
    if ended.interrupted:
        what = click.style("interrupted", fg="yellow")
    elif ended.promoted:
        what = click.style("learned", fg="green")
    else:
        what = click.style("nothing changed", fg="yellow")
    level = f" ({ended.level})" if ended.level else ""
    lines = [f"dream {ended.dream[:12]}{level}: {what}: {ended.why}"]
    rows = [(each.name, each.questions, f"{each.before:.1%}", f"{each.after:.1%}") for each in ended.results]
    if rows:
        lines.append(console.table(rows, header=("skill", "questions", "before", "after")))
    if ended.seconds:
        lines.append(f"{console.age(ended.seconds)}, {ended.cpu_s:.1f} processor seconds")
    return "\n".join(lines)
