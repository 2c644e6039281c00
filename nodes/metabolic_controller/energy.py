"""What moves energy, and how much: time that passes in a state, and things that were done and are settled.

The budget may be overdrawn as far as the configuration allows; what is spent beyond that is drawn from the reserve, so
that recovery never takes longer than a known time. Income beyond the capacity is not taken.

Time and amounts already settled are arguments. How amounts are booked: `accounts`; what is held beforehand:
`reservations`.
"""

from __future__ import annotations

import msgspec

from nodes.metabolic_controller import reservations
from nodes.metabolic_controller.accounts import (
    BUDGET,
    INCOME,
    MICRO,
    OPENING,
    RESERVE,
    SPENT,
    Account,
    micro,
    post,
)
from nodes.metabolic_controller.config import EnergyConfig
from protocol.messages.metabolism import Energy, Metabolic, Settle

__all__ = ["MICRO", "Account", "Settlement", "cost", "elapse", "holding", "micro", "open_account", "resume", "settle"]


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    account: Account
    charged: int
    """Micro-ATP booked for this purpose, now or when it was first settled."""
    repeated: bool = False


def open_account(config: EnergyConfig, now_s: float) -> Account:
    """A full account."""
    return holding(config.capacity, now_s)


def holding(atp: float, now_s: float = 0.0) -> Account:
    """A new account with so much in it; it may be overdrawn."""
    opened, amount = Account(at_s=now_s), micro(atp)
    if amount < 0:
        return post(opened, BUDGET, OPENING, -amount)
    return post(opened, OPENING, BUDGET, amount)


def elapse(account: Account, state: Metabolic, now_s: float, config: EnergyConfig) -> Account:
    """Book income and base load of `state` from `account.at_s` to `now_s`. A clock that went back books nothing."""
    minutes = max(0.0, now_s - account.at_s) / 60.0
    rate = config.rates[state]
    base = micro(rate.base * minutes)
    room = max(0, micro(config.capacity) - account.left + base)
    income = min(micro(rate.income * minutes), room)
    paid = post(msgspec.structs.replace(account, at_s=now_s), INCOME, BUDGET, income, state)
    return _spend(paid, "base", state, base, config)


def resume(account: Account, now_s: float, config: EnergyConfig) -> Account:
    """The account after a time in which nobody kept it: that time is not booked.

    Reservations, whose times count from 0 in what is kept, go on; none lasts longer than it could have been asked for,
    whatever the wall clock did meanwhile.
    """
    held = {
        ident: msgspec.structs.replace(one, expires_s=now_s + min(one.expires_s, config.reservation_limit))
        for ident, one in account.held.items()
    }
    return msgspec.structs.replace(account, held=held, at_s=now_s)


def settle(account: Account, claim: Settle, earlier: int | None, config: EnergyConfig) -> Settlement:
    """Give back what was held for `claim`, or its part of what it is settled out of, and book what it cost.

    `earlier` is what was booked under its ident before, None where nothing was.
    """
    if earlier is not None:
        return Settlement(account=account, charged=earlier, repeated=True)
    amount = cost(claim, config)
    freed = reservations.release(account, claim.ident)
    if claim.out_of:
        freed = reservations.draw(freed, claim.out_of, amount)
    return Settlement(account=_spend(freed, claim.kind, claim.ident, amount, config), charged=amount)


def cost(claim: Settle, config: EnergyConfig) -> int:
    """Micro-ATP of a claim: by its joules where they were measured, else by its processor seconds."""
    if claim.joules > 0:
        return micro(claim.joules * config.atp_per_joule)
    return micro(claim.cpu_s * config.atp_per_cpu_s)


def statement(account: Account, config: EnergyConfig, source: str = "cpu") -> Energy:
    """The account as it is published. Income is what was recharged and what came out of the reserve."""
    return Energy(
        atp=account.atp,
        capacity=config.capacity,
        income=(account.income + account.reserve) / MICRO,
        spent={kind: amount / MICRO for kind, amount in sorted(account.spent.items())},
        opening=account.opening / MICRO,
        source=source,
        atp_per_cpu_s=config.atp_per_cpu_s,
        atp_per_joule=config.atp_per_joule,
        reserved=account.reserved / MICRO,
        reserved_for_dreams=account.reserved_for("dream") / MICRO,
        from_reserve=account.reserve / MICRO,
    )


def _spend(account: Account, kind: str, ident: str, amount: int, config: EnergyConfig) -> Account:
    beyond = max(0, amount - account.left - micro(config.overdraft))
    return post(post(account, RESERVE, BUDGET, beyond, ident), BUDGET, SPENT + kind, amount, ident)
