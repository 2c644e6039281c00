"""The ATP account, in double entry: what one account gains another loses, so the sum of all is zero, exactly.

    income ──┐                      ┌──> exchange, dream      (settled, each named)
             ├──> budget ───────────┤
    reserve ─┘                      └──> base                 (what being in a state costs)

Amounts are whole micro-ATP: sums of integers do not drift. The budget may be overdrawn as far as the configuration
allows; what is spent beyond that is drawn from the reserve, so that recovery never takes longer than a known time.
Income beyond the capacity is not taken.

Time and amounts already settled are arguments; keeping them is the store's work.
"""

from __future__ import annotations

import msgspec

from nodes.metabolic_controller.config import EnergyConfig
from protocol.messages.metabolism import Energy, Metabolic, Settle

MICRO = 1_000_000
"""Micro-ATP in an ATP."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Balances in micro-ATP. `income` and `reserve` count what they gave, the purposes what they got."""

    opening: int
    income: int = 0
    reserve: int = 0
    spent: dict[str, int] = {}
    at_s: float = 0.0
    """Clock time up to which income and base load are booked."""

    @property
    def budget(self) -> int:
        """What is left, in micro-ATP; negative where the account is overdrawn."""
        return self.opening + self.income + self.reserve - sum(self.spent.values())

    @property
    def atp(self) -> float:
        return self.budget / MICRO


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    account: Account
    charged: int
    """Micro-ATP booked for this purpose, now or when it was first settled."""
    repeated: bool = False


def open_account(config: EnergyConfig, now_s: float) -> Account:
    """A full account."""
    return Account(opening=micro(config.capacity), at_s=now_s)


def elapse(account: Account, state: Metabolic, now_s: float, config: EnergyConfig) -> Account:
    """Book income and base load of `state` from `account.at_s` to `now_s`. A clock that went back books nothing."""
    minutes = max(0.0, now_s - account.at_s) / 60.0
    rate = config.rates[state]
    base = micro(rate.base * minutes)
    room = max(0, micro(config.capacity) - account.budget + base)
    income = min(micro(rate.income * minutes), room)
    paid = msgspec.structs.replace(account, income=account.income + income, at_s=now_s)
    return _spend(paid, "base", base, config)


def resume(account: Account, now_s: float) -> Account:
    """The account after a time in which nobody kept it: that time is not booked."""
    return msgspec.structs.replace(account, at_s=now_s)


def settle(account: Account, claim: Settle, earlier: int | None, config: EnergyConfig) -> Settlement:
    """Book what `claim` cost. `earlier` is what was booked under its ident before, None where nothing was."""
    if earlier is not None:
        return Settlement(account=account, charged=earlier, repeated=True)
    amount = cost(claim, config)
    return Settlement(account=_spend(account, claim.kind, amount, config), charged=amount)


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
        spent={purpose: amount / MICRO for purpose, amount in sorted(account.spent.items())},
        opening=account.opening / MICRO,
        source=source,
        atp_per_cpu_s=config.atp_per_cpu_s,
    )


def micro(atp: float) -> int:
    return round(atp * MICRO)


def _spend(account: Account, purpose: str, amount: int, config: EnergyConfig) -> Account:
    beyond = max(0, amount - account.budget - micro(config.overdraft))
    return msgspec.structs.replace(
        account,
        reserve=account.reserve + beyond,
        spent={**account.spent, purpose: account.spent.get(purpose, 0) + amount},
    )
