"""Energy held for something before it is done, so that many who begin at once do not all spend the same ATP.

Who is refused, and who never is:

    anything in CRISIS            granted: energy is ignored
    an exchange                   granted down to the overdraft, for a person waits for the answer, and whatever dreams
                                  hold; what would go beyond is refused, so that a cheaper level is chosen
    an exchange that has nothing  granted: people are answered; what it spends beyond the overdraft comes out of the
    cheaper to turn to (`least`)  reserve when it is settled
    a dream, a load               granted from what there is; a dream that is refused does not begin

Asked again for the same thing, it is held for longer, and where more is asked for than is held, what is lacking is held
too, or refused. So a dream keeps what it needs while it lasts, and an exchange adds to it before it asks another level.

What is held is given back when it is settled. What is settled `out_of` it takes its part; the rest stays held. What
nobody settles is given back when its time is over. Values in, values out.
"""

from __future__ import annotations

import msgspec

from nodes.metabolic_controller.accounts import BUDGET, MICRO, RESERVED, Account, Reservation, micro, post
from nodes.metabolic_controller.config import EnergyConfig
from protocol.messages.metabolism import Metabolic, Reserve

HELD_AT_MOST = 1024
"""Reservations at once. Beyond that nothing more is held, and nobody is refused for it."""


class Reserving(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request to hold energy."""

    account: Account
    granted: bool
    held: int = 0
    """Micro-ATP held for it, which a refusal to hold more leaves as it was."""
    available: int = 0
    """Micro-ATP that would be granted to the like of it now."""
    reason: str = ""
    repeated: bool = False
    """As much was held before, or it was settled."""


def reserve(
    account: Account, wish: Reserve, settled: int | None, state: Metabolic, config: EnergyConfig, now_s: float
) -> Reserving:
    """Hold as much as `wish` asks for. `settled` is what its ident was charged already, None if it was not."""
    beyond = micro(config.overdraft) + account.reserved_for("dream") if wish.kind == "exchange" else 0
    available = max(0, account.budget + beyond)
    if settled is not None:
        return Reserving(account=account, granted=True, available=available, reason="settled already", repeated=True)
    known = account.held.get(wish.ident)
    before = known.micro if known else 0
    lacking = max(0, micro(wish.atp) - before)
    if lacking and (refused := _refusal(wish, lacking, available, state)):
        return Reserving(account=account, granted=False, held=before, available=available, reason=refused)
    if known is None and len(account.held) >= HELD_AT_MOST:
        words = f"{HELD_AT_MOST} reservations are held already: nothing is held for it"
        return Reserving(account=account, granted=True, available=available, reason=words)
    one = Reservation(
        kind=wish.kind,
        micro=before + lacking,
        expires_s=max(known.expires_s if known else 0.0, now_s + min(wish.ttl_s, config.reservation_limit)),
    )
    moved = post(account, BUDGET, RESERVED, lacking, wish.ident)
    return Reserving(
        account=msgspec.structs.replace(moved, held={**account.held, wish.ident: one}),
        granted=True,
        held=one.micro,
        available=max(0, available - lacking),
        reason="beyond what may be had" if lacking > available else "",
        repeated=known is not None and not lacking,
    )


def release(account: Account, ident: str) -> Account:
    """Give back what is held for `ident`; nothing happens where nothing is."""
    one = account.held.get(ident)
    if one is None:
        return account
    held = {name: other for name, other in account.held.items() if name != ident}
    return msgspec.structs.replace(post(account, RESERVED, BUDGET, one.micro, ident), held=held)


def draw(account: Account, ident: str, amount: int) -> Account:
    """Give back so much of what is held for `ident`, all of it where that is less; the rest stays held."""
    one = account.held.get(ident)
    if one is None or amount >= one.micro:
        return release(account, ident)
    rest = msgspec.structs.replace(one, micro=one.micro - amount)
    return msgspec.structs.replace(post(account, RESERVED, BUDGET, amount, ident), held={**account.held, ident: rest})


def expire(account: Account, now_s: float) -> tuple[Account, list[str]]:
    """Give back what nobody settled in time; the idents it was held for."""
    late = [ident for ident, one in account.held.items() if now_s >= one.expires_s]
    for ident in late:
        account = release(account, ident)
    return account, late


def _refusal(wish: Reserve, amount: int, available: int, state: Metabolic) -> str:
    """Why it is not granted; empty where it is."""
    if state is Metabolic.CRISIS or amount <= available or (wish.least and wish.kind == "exchange"):
        return ""
    return f"{amount / MICRO:.2f} ATP were asked for, {available / MICRO:.2f} may be had"
