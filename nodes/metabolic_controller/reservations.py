"""Energy held for something before it is done, so that many who begin at once do not all spend the same ATP.

Who is refused, and who never is:

    anything in CRISIS            granted: energy is ignored
    an exchange                   granted down to the overdraft, for a person waits for the answer;
                                  what would go beyond is refused, so that a cheaper level is chosen
    an exchange that has nothing  granted: people are answered; what it spends beyond the overdraft comes out of the
    cheaper to turn to (`least`)  reserve when it is settled
    a dream, a load               granted from what there is, where one asks; a dream is charged while it lasts instead

A reservation that nobody settles is given back when its time is over. Values in, values out.
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
    """Micro-ATP held for it."""
    available: int = 0
    """Micro-ATP that would be granted to the like of it now."""
    reason: str = ""
    repeated: bool = False


def reserve(
    account: Account, wish: Reserve, settled: int | None, state: Metabolic, config: EnergyConfig, now_s: float
) -> Reserving:
    """Hold what `wish` asks for, once. `settled` is what its ident was charged already, None if it was not."""
    available = max(0, account.budget + (micro(config.overdraft) if wish.kind == "exchange" else 0))
    if settled is not None:
        return Reserving(account=account, granted=True, available=available, reason="settled already", repeated=True)
    if (known := account.held.get(wish.ident)) is not None:
        return Reserving(account=account, granted=True, held=known.micro, available=available, repeated=True)
    amount = micro(wish.atp)
    if refused := _refusal(wish, amount, available, state):
        return Reserving(account=account, granted=False, available=available, reason=refused)
    if len(account.held) >= HELD_AT_MOST:
        words = f"{HELD_AT_MOST} reservations are held already: nothing is held for it"
        return Reserving(account=account, granted=True, available=available, reason=words)
    one = Reservation(kind=wish.kind, micro=amount, expires_s=now_s + min(wish.ttl_s, config.reservation_limit))
    moved = post(account, BUDGET, RESERVED, amount, wish.ident)
    return Reserving(
        account=msgspec.structs.replace(moved, held={**account.held, wish.ident: one}),
        granted=True,
        held=amount,
        available=max(0, available - amount),
        reason="beyond what may be had" if amount > available else "",
    )


def release(account: Account, ident: str) -> Account:
    """Give back what is held for `ident`; nothing happens where nothing is."""
    one = account.held.get(ident)
    if one is None:
        return account
    held = {name: other for name, other in account.held.items() if name != ident}
    return msgspec.structs.replace(post(account, RESERVED, BUDGET, one.micro, ident), held=held)


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
