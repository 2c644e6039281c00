"""An exchange's dealings with the energy account: held before a model is asked, settled when it came to nothing.

An exchange that is answered is settled with all else that it owes: `deliveries`. No one is refused an answer: where
energy is refused, a cheaper level is asked; where the controller does not say, none is held, and it is noted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from nodes.dialogue import reserving
from nodes.dialogue.choice import Choice
from nodes.dialogue.deliveries import unanswered
from nodes.dialogue.exchange import Exchange
from nodes.dialogue.ports import Ports
from nodes.dialogue.reserving import Means
from nodes.dialogue.spending import Rates, Spent
from protocol.errors import SageError

RESERVE = "reserve"
"""Name of the stage."""


class Purse:
    def __init__(self, ports: Ports, counts: Counter[str]) -> None:
        self._ports = ports
        self._counts = counts

    async def afford(self, exchange: Exchange, choice: Choice, means: Means) -> tuple[Choice, frozenset[str]]:
        """Have energy held: who is asked then, and the levels for which there is none.

        One call to the controller; a second one where the first was refused.
        """
        asked_for, remaining_s = bool(exchange.ask.level), exchange.remaining_s
        wish = reserving.wish(exchange.ident, choice, means, asked_for=asked_for, remaining_s=remaining_s)
        if wish is None:
            self._counts["without.estimate"] += 1
            return choice, frozenset()
        beyond: frozenset[str] = frozenset()
        with exchange.stage(RESERVE) as stage:
            try:
                reserved = await self._ports.reserve(wish, exchange.trace)
                if not reserved.granted and not wish.least:
                    self._counts["cheaper"] += 1
                    stage.detail = f"{choice.level}: {reserved.reason}; "
                    choice = reserving.instead(choice, reserved, means)
                    beyond = reserving.dearer(choice.level, means)
                    least = msgspec.structs.replace(wish, atp=means.estimate(choice.level), least=True)
                    reserved = await self._ports.reserve(least, exchange.trace)
                exchange.staked = reserved.atp
                stage.detail += f"{reserved.atp:.3f} ATP for {choice.level}"
            except SageError as error:
                self._unheld(exchange, error)
        return choice, beyond

    async def further(
        self, exchange: Exchange, means: Means, level: str, spent: Sequence[Spent], *, least: bool
    ) -> str:
        """Have energy held for one more level, on top of what was spent; why it may not be asked, empty if it may.

        `least`: nobody has answered yet, so it is asked whatever there is. In CRISIS nobody is refused.
        """
        so_far = sum(means.rates.atp(one.cpu_s, one.joules) for one in spent)
        wish = reserving.further(exchange.ident, level, means, so_far, least=least, remaining_s=exchange.remaining_s)
        if wish is None:
            self._counts["without.estimate"] += 1
            return ""
        with exchange.stage(RESERVE) as stage:
            try:
                reserved = await self._ports.reserve(wish, exchange.trace)
            except SageError as error:
                self._unheld(exchange, error)
                return ""
            if not reserved.granted:
                self._counts["refused"] += 1
                stage.detail = f"{level}: {reserved.reason}"
                return reserved.reason
            stage.detail = f"{reserved.atp:.3f} ATP with {level}"
        return ""

    async def settle_unanswered(self, exchange: Exchange, spent: Sequence[Spent], rates: Rates) -> str:
        """What was spent is spent, and what was held is given back; why that could not be written down, if so.

        What a model did for an answer that was given up, its worker settles itself: nobody else learns what that took.
        Whatever fails here must not take the place of what the exchange failed of. What is held lapses by itself.
        """
        if not spent and all(stage.name != RESERVE for stage in exchange.stages):
            return ""
        try:
            await self._ports.deliver([unanswered(exchange.ident, spent, rates)])
        except Exception as error:
            self._counts["without.settlement"] += 1
            return f"what it cost could not be settled: {type(error).__name__}: {error}"
        return ""

    def _unheld(self, exchange: Exchange, error: SageError) -> None:
        self._counts["without.reserve"] += 1
        exchange.notes.append(f"no energy was held: {error}")
