"""The reality cache as it is shown: records, what one rests on, and how far it is from being shaken."""

from __future__ import annotations

import msgspec

from nodes.dialogue.reality.assumption import Assumption
from nodes.dialogue.reality.cache import Reality
from nodes.dialogue.reality.outcomes import UnknownAssumption
from nodes.dialogue.reality.settings import rebuilt_at
from nodes.dialogue.reality.shelf import Cascade, Row
from nodes.dialogue.reality.surprise import aged, centrality
from protocol.errors import BadRequest
from protocol.messages.reality import (
    AssumptionExplained,
    Assumptions,
    AssumptionShown,
    CascadeShown,
    ListAssumptions,
)

SHOWN = 20
"""Dependants and cascades shown of one."""


def listed(reality: Reality, request: ListAssumptions, now_ns: int) -> Assumptions:
    most = max(0, request.most)
    rows = reality.shelf.listed(request.level, most)
    return Assumptions(
        assumptions=[_shown(reality, row, now_ns) for row in rows],
        cascades=[_cascade(one) for one in reality.shelf.cascades(most=SHOWN)],
        stats=reality.stats(),
    )


def explained(reality: Reality, ident: str, now_ns: int) -> AssumptionExplained:
    """Raises `UnknownAssumption` or BadRequest."""
    key = found(reality, ident)
    itself, *supports = reality.shelf.line(key)
    left, central = aged(itself, now_ns), centrality(reality.shelf.bears(itself.number), reality.config)
    threshold = reality.config.levels[itself.level].threshold
    return AssumptionExplained(
        assumption=_shown(reality, itself, now_ns),
        supports=[_shown(reality, row, now_ns) for row in supports],
        cascades=[_cascade(one) for one in reality.shelf.cascades(key, SHOWN)],
        distance_verify=_needed(threshold, left * central),
        distance_rebuild=_needed(rebuilt_at(itself.level, reality.config), left * central),
    )


def found(reality: Reality, ident: str) -> str:
    """The key that `ident` means: a key, a beginning of one, or an exchange answered from it.

    Raises `UnknownAssumption`, and BadRequest for a beginning that several have.
    """
    ident = ident.removesuffix("…")  # as it stands where it was cut to be shown
    if ident and reality.shelf.row(ident) is not None:
        return ident
    if by_exchange := reality.shelf.answer_of(ident):
        return by_exchange
    begins = reality.shelf.begins(ident) if ident else []
    if len(begins) > 1:
        raise BadRequest(f"{ident!r} may mean {', '.join(begins[:3])} …", place=ident, remedy="give more of it")
    if not begins:
        raise UnknownAssumption(f"nothing is assumed under {ident!r}", place=ident, remedy="`sage reality show`")
    return begins[0]


def _shown(reality: Reality, row: Row, now_ns: int) -> AssumptionShown:
    shelf = reality.shelf
    bears = sorted(shelf.resting([row.number]))
    return AssumptionShown(
        key=row.key,
        level=row.level,
        standing=row.standing,
        statement=_statement(reality, row),
        confidence=aged(row, now_ns),
        bar=reality.config.levels[row.level].bar,
        why=row.why,
        revision=row.revision,
        made_ns=row.made_ns,
        verified_ns=row.verified_ns,
        rests_on=shelf.keys(shelf.supports(row.number)),
        bears=shelf.keys(bears[:SHOWN]),
        bears_count=len(bears),
    )


def _statement(reality: Reality, row: Row) -> str:
    known: Assumption | None = reality.opened(row)
    return known.statement if known is not None else "(it can no longer be read)"


def _cascade(one: Cascade) -> CascadeShown:
    return msgspec.convert(one, CascadeShown, from_attributes=True)


def _needed(surprise: float, of_distance_one: float) -> float | None:
    """The distance that makes this surprise; None where not even the largest does."""
    return surprise / of_distance_one if of_distance_one >= surprise > 0 else None
