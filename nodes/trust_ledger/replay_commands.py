"""`sage trust replay`: what the day's questions say of the price of energy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runtime import console

if TYPE_CHECKING:
    from protocol.messages.trust import Replay, Replayed

DIALOGUE = "dialogue"


@click.command()
@click.option("--count", type=click.IntRange(min=0), default=200, show_default=True, help="At most so many questions.")
@click.option(
    "--rollback", is_flag=True, help="Replay nothing; put what was found before the last time in force again."
)
@console.common(timeout=1800)
def replay(count: int, rollback: bool, as_json: bool, timeout: float) -> None:
    """Put questions of the day through all levels, and tune the price of energy by what comes of it.

    The largest saving is taken at which it is still shown, with 95% confidence, that no more right answers are lost
    against the most capable level than the margin allows. If there is none, that level answers everything.
    """
    from protocol.messages.trust import Replay

    found = console.run(_replay(Replay(count=count, take_back=rollback), as_json, timeout), timeout)
    if as_json:
        console.show_json(found)
        return
    click.echo(f"{found.done} of {found.total} replayed, {found.failed} failed; {_ruling(found)}: {found.why}")
    for version, error in found.calibration_error.items():
        click.echo(f"confidence of {version[:12]}: expected calibration error {error:.3f}")


def _ruling(found: Replayed) -> str:
    if not found.in_force:
        return "the price stays as it was"
    return "the most capable level answers" if found.price is None else f"price {found.price:g}"


async def _replay(request: Replay, as_json: bool, timeout: float) -> Replayed:
    from runtime.client import Client

    async with (
        Client.connect(name="trust", deadline=timeout) as client,
        client.stream(DIALOGUE, request, deadline=timeout) as stream,
    ):
        async for part in stream:
            if as_json:
                console.show_json(part)
            else:
                click.echo(f"\r{part.done} of {part.total}", nl=part.done == part.total, err=True)
        found: Replayed = stream.reply
        return found
