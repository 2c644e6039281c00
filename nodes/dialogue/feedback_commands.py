"""`sage feedback`: say how good an answer was, so that all who learn from it learn that too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runtime import console

if TYPE_CHECKING:
    from protocol.messages.dialogue import Feedback, FeedbackTaken

DIALOGUE = "dialogue"
WORDS = {"good": 1.0, "bad": 0.0}


class Value(click.ParamType[float]):
    """`good`, `bad`, or a number from 0 to 1."""

    name = "good|bad|0..1"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        word = str(value)
        try:
            number = WORDS[word] if word in WORDS else float(word)
        except ValueError:
            self.fail(f"{word!r} is neither good nor bad nor a number", param, ctx)
        if not 0 <= number <= 1:
            self.fail(f"{word} does not lie between 0 and 1", param, ctx)
        return number


@click.command()
@click.argument("exchange")
@click.argument("value", type=Value())
@click.option("--source", default="user", show_default=True, help="Who says so: you, or the name of a verifier.")
@console.common(timeout=10)
def feedback(*, exchange: str, value: float, source: str, as_json: bool, timeout: float) -> None:
    """Say how good the answer of EXCHANGE was: good, bad, or a number from 0 to 1.

    EXCHANGE is its id, its trace id, or a beginning of either; `last` is the last one. It is written down before this
    returns, and reaches the sense of context (which scores the exchange anew) and the dreamer (which learns from it)
    even where they are away now.

    \b
    Example: sage feedback last bad
    """
    from protocol.messages.dialogue import Feedback

    request = Feedback(exchange="" if exchange == "last" else exchange, value=value, source=source)
    taken: FeedbackTaken = console.run(_tell(request, timeout), timeout + 1)
    if as_json:
        console.show_json(taken)
    else:
        click.echo(f"taken down for {taken.question!r}, exchange {taken.exchange}")


async def _tell(request: Feedback, timeout: float) -> FeedbackTaken:
    from runtime.client import Client

    async with Client.connect(name="feedback", deadline=timeout) as client:
        taken: FeedbackTaken = await client.call(DIALOGUE, request, deadline=timeout)
    return taken
