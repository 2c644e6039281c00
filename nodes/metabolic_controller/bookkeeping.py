"""What moves energy and is answered: decided, written down, and only then taken over and told.

A crash at any moment leaves either nothing or all of it; asked again, the answer is the same.
"""

from __future__ import annotations

import math

from nodes.metabolic_controller.accounts import MICRO
from nodes.metabolic_controller.metabolism import Metabolism
from nodes.metabolic_controller.store import Store
from protocol.errors import BadRequest
from protocol.messages.metabolism import Books, BooksRequest, Held, Reserve, Reserved, Settle, Settled

KINDS = ("exchange", "dream", "load", "embedding")
MOST = 1e9
"""ATP, joules or seconds that one thing can have cost: what is beyond is a mistake, and would burst the books."""
LONGEST_NS = 31 * 86_400 * 10**9
DAY_NS = 86_400 * 10**9


def settle(whole: Metabolism, store: Store, claim: Settle, now_s: float, wall_ns: int) -> Settled:
    """Book what something cost, once. Raises BadRequest for what cannot be meant, and StoreError: nothing is booked."""
    _named(claim.kind, claim.ident, "metabolic/settle")
    for field in ("cpu_s", "joules"):
        _amount(getattr(claim, field), f"metabolic/settle: {field}")
    settlement = whole.settle(claim, store.settled(claim.ident), now_s)
    if not settlement.repeated:
        store.settle(claim.ident, claim.kind, settlement.charged, settlement.account, wall_ns)
    whole.settled(settlement)
    return Settled(
        ident=claim.ident,
        atp=settlement.charged / MICRO,
        remaining=whole.account.atp,
        repeated=settlement.repeated,
    )


def reserve(whole: Metabolism, store: Store, wish: Reserve, now_s: float, wall_ns: int) -> Reserved:
    """Hold energy for something. Raises BadRequest for what cannot be meant, and StoreError: nothing has changed."""
    _named(wish.kind, wish.ident, "metabolic/reserve")
    _amount(wish.atp, "metabolic/reserve: atp")
    _amount(wish.ttl_s, "metabolic/reserve: ttl_s")
    reserving = whole.reserve(wish, store.settled(wish.ident), now_s)
    if reserving.account is not whole.account:
        store.hold(reserving.account, wall_ns)
        whole.account = reserving.account.written()
    return Reserved(
        ident=wish.ident,
        granted=reserving.granted,
        atp=reserving.held / MICRO,
        remaining=whole.account.atp,
        available=reserving.available / MICRO,
        reason=reserving.reason,
        repeated=reserving.repeated,
    )


def keep(whole: Metabolism, store: Store, wall_ns: int) -> None:
    """Write down what time has moved. Raises StoreError: it is still to be written then."""
    store.keep(whole.account, wall_ns)
    whole.account = whole.account.written()


def books(whole: Metabolism, store: Store, asked: BooksRequest, wall_ns: int) -> Books:
    """The books up to now, every posting counted. Writes down what has moved, so that nothing is missing."""
    until_ns = asked.until_ns or wall_ns
    since_ns = asked.since_ns or until_ns - DAY_NS
    if not 0 <= until_ns - since_ns <= LONGEST_NS:
        raise BadRequest(
            "asked for a time that ends before it begins, or is longer than 31 days",
            place="metabolic/books",
            remedy="ask for less at once",
        )
    keep(whole, store, wall_ns)
    account = whole.account
    return Books(
        balances=dict(sorted(account.balances.items())),
        problem=store.audit(),
        held=[
            Held(ident=ident, kind=one.kind, micro=one.micro, expires_in_s=one.expires_s - account.at_s)
            for ident, one in account.held.items()
        ],
        moved=store.moved(since_ns, until_ns),
        kept_since_ns=store.moved_since_ns(),
    )


def _named(kind: str, ident: str, place: str) -> None:
    if kind not in KINDS:
        raise BadRequest(f"{kind!r} is not one of {', '.join(KINDS)}", place=f"{place}: kind")
    if not ident:
        raise BadRequest("every spend names what it was spent on", place=f"{place}: ident")


def _amount(amount: float, place: str) -> None:
    if not (math.isfinite(amount) and 0 <= amount <= MOST):
        raise BadRequest(f"{amount} is no amount", place=place, remedy=f"from 0 to {MOST:g}")
