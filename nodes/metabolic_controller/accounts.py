"""The books in double entry: amounts only move from one account to another, so all balances sum to zero, exactly.

    opening ──┐               ┌──> spent/exchange, …/dream, …/load, …/embedding    each names which
    income  ──┼──> budget ────┤
    reserve ──┘    │   ▲      └──> spent/base                                 named by the state it was spent in
                   ▼   │
                  reserved                                                    named by what it is held for

Amounts are whole micro-ATP: sums of integers do not drift. What gives more than it gets, such as `income`, stands below
zero. Values in, values out; keeping them is the work of `nodes.metabolic_controller.books`.
"""

from __future__ import annotations

import msgspec

MICRO = 1_000_000
"""Micro-ATP in an ATP."""

OPENING, INCOME, RESERVE = "opening", "income", "reserve"
BUDGET, RESERVED = "budget", "reserved"
SPENT = "spent/"


class Posting(msgspec.Struct, frozen=True):
    """`micro` moved from `source` to `target`, for `ident`."""

    source: str
    target: str
    micro: int
    ident: str = ""


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """Micro-ATP held for something that is under way."""

    kind: str
    micro: int
    expires_s: float
    """Clock time at which it is given back if nobody has settled it."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    balances: dict[str, int] = {}
    held: dict[str, Reservation] = {}
    """What the account `reserved` is held for, by ident."""
    unwritten: tuple[Posting, ...] = ()
    """What moved since the books were last written."""
    at_s: float = 0.0
    """Clock time up to which income and base load are booked."""

    @property
    def budget(self) -> int:
        """Free to spend, in micro-ATP; negative where the account is overdrawn."""
        return self.balances.get(BUDGET, 0)

    @property
    def reserved(self) -> int:
        return self.balances.get(RESERVED, 0)

    def reserved_for(self, kind: str) -> int:
        return sum(one.micro for one in self.held.values() if one.kind == kind)

    @property
    def left(self) -> int:
        """Not spent: free or held, in micro-ATP."""
        return self.budget + self.reserved

    @property
    def atp(self) -> float:
        """Not spent, in ATP."""
        return self.left / MICRO

    @property
    def opening(self) -> int:
        return -self.balances.get(OPENING, 0)

    @property
    def income(self) -> int:
        """Micro-ATP regained since the account was opened."""
        return -self.balances.get(INCOME, 0)

    @property
    def reserve(self) -> int:
        """Micro-ATP drawn from the reserve since the account was opened."""
        return -self.balances.get(RESERVE, 0)

    @property
    def spent(self) -> dict[str, int]:
        """Kind → micro-ATP."""
        return {name.removeprefix(SPENT): amount for name, amount in self.balances.items() if name.startswith(SPENT)}

    def written(self) -> Account:
        """The account once all of it is written down."""
        return msgspec.structs.replace(self, unwritten=())


def post(account: Account, source: str, target: str, micro: int, ident: str = "") -> Account:
    """Move an amount. Nothing moves for 0; ValueError for less, or for an account that would pay itself."""
    if micro < 0 or source == target:
        raise ValueError(f"{micro} from {source} to {target} is no posting")
    if micro == 0:
        return account
    balances = {
        **account.balances,
        source: account.balances.get(source, 0) - micro,
        target: account.balances.get(target, 0) + micro,
    }
    unwritten = _joined(account.unwritten, Posting(source, target, micro, ident))
    return msgspec.structs.replace(account, balances=balances, unwritten=unwritten)


def imbalance(account: Account) -> str:
    """What is wrong with the books; empty where they balance."""
    if total := sum(account.balances.values()):
        return f"all balances together are {total} micro-ATP, not 0"
    if (held := sum(one.micro for one in account.held.values())) != account.reserved:
        return f"{account.reserved} micro-ATP are reserved, but {held} are held for something"
    return ""


def micro(atp: float) -> int:
    return round(atp * MICRO)


def _joined(postings: tuple[Posting, ...], new: Posting) -> tuple[Posting, ...]:
    """Postings of the same kind become one: time passes in small steps, and the books need not show each."""
    for index, one in enumerate(postings):
        if (one.source, one.target, one.ident) == (new.source, new.target, new.ident):
            joined = msgspec.structs.replace(one, micro=one.micro + new.micro)
            return (*postings[:index], joined, *postings[index + 1 :])
    return (*postings, new)
