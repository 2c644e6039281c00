"""What the ledger answers when it is asked what it holds."""

from __future__ import annotations

from nodes.trust_ledger import r7
from nodes.trust_ledger.chain import Entry
from nodes.trust_ledger.ledger import Ledger
from nodes.trust_ledger.reputation import Place
from nodes.trust_ledger.tensors import RECENT, Standing, faded
from protocol.errors import BadRequest, SageError
from protocol.lct import entry_subject
from protocol.messages.action import Action
from protocol.messages.trust import (
    Change,
    EntryExplained,
    ExplainEntry,
    Identities,
    IdentitiesRequest,
    TensorRow,
    Tensors,
    TensorsRequest,
)

ROWS = 500
"""In one answer; the rest is counted."""


def tensors(ledger: Ledger, request: TensorsRequest, wall_ns: int) -> Tensors:
    """T3 and V3 as they stand at `wall_ns`, with the last changes and their reasons."""
    if not 0 <= request.changes <= RECENT:
        raise BadRequest(f"the last {RECENT} changes are known, not {request.changes}", place="trust/tensors: changes")
    found = [
        (place, standing)
        for place, standing in ledger.standings()
        if request.subject in place.subject or request.subject == place.role
    ]
    shown = found[:ROWS]
    moved_by = ledger.numbered(number for _, standing in shown for number in standing.recent[: request.changes])
    changes = {number: _change(ledger, entry) for number, entry in moved_by.items()}
    return Tensors(
        rows=[
            _row(ledger, place, standing, _last(standing, request.changes, changes), wall_ns)
            for place, standing in shown
        ],
        left_out=len(found) - len(shown),
    )


def explain(ledger: Ledger, request: ExplainEntry) -> EntryExplained:
    """What an entry says, in words. Raises `BadRequest` where there is none, `SealError` where it does not open."""
    entry = ledger.find(request.entry)
    if entry is None:
        raise BadRequest(
            f"there is no entry {request.entry!r}",
            place="trust/explain: entry",
            remedy="give a number, a key such as EXCHANGE/LEVEL, the name of an exchange, or `last`",
        )
    said = ledger.said(entry)
    witnesses = ledger.witnesses(entry_subject(entry.number, entry.digest))
    return EntryExplained(
        entry=entry.number,
        key=entry.key,
        kind=entry.kind,
        wall_ns=entry.wall_ns,
        signer=entry.signer,
        digest=entry.digest,
        words=r7.in_words(said, entry.wall_ns),
        action=said if isinstance(said, Action) else None,
        witnesses=witnesses,
    )


def identities(ledger: Ledger, request: IdentitiesRequest) -> Identities:
    found = [lct for lct in ledger.identities() if request.subject in lct.id]
    return Identities(identities=found[:ROWS], left_out=len(found[ROWS:]))


def _row(ledger: Ledger, place: Place, standing: Standing, changes: list[Change], wall_ns: int) -> TensorRow:
    rules = ledger.rules()
    now = faded(standing, wall_ns, rules.reputation) if rules else standing
    return TensorRow(
        subject=place.subject,
        role=place.role,
        context=place.context,
        t3=now.t3,
        v3=now.v3,
        actions=standing.actions,
        changes=changes,
    )


def _last(standing: Standing, count: int, known: dict[int, Change]) -> list[Change]:
    lost = "the entry is gone; see `sage trust verify`"
    return [
        known.get(number, Change(entry=number, wall_ns=0, outcome="", reason=lost))
        for number in standing.recent[:count]
    ]


def _change(ledger: Ledger, entry: Entry) -> Change:
    try:
        said = ledger.said(entry)
    except SageError as error:
        return Change(entry=entry.number, wall_ns=entry.wall_ns, outcome="", reason=f"cannot be read: {error}")
    reputation = said.reputation if isinstance(said, Action) else None
    return Change(
        entry=entry.number,
        wall_ns=entry.wall_ns,
        outcome=reputation.outcome if reputation else "",
        reason=reputation.reason if reputation else "written before actions had their form",
    )
