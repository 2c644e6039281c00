"""What rests on the entries: rules, identities, standings. Built up entry by entry; the same entries give the same.

Writing and replaying go the same way: `act` makes the action of an outcome and moves the standing, `take` moves it by
what an entry says and complains where the entry says something else than its rules give.
"""

from __future__ import annotations

import hashlib
import math
from collections import ChainMap
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from nodes.trust_ledger import r7
from nodes.trust_ledger.identities import (
    ADAPTER,
    ENTRY,
    MODEL,
    Verify,
    bound_id,
    check_record,
    check_witness,
    with_attestation,
)
from nodes.trust_ledger.reputation import Place, Rules, gained, routine
from nodes.trust_ledger.tensors import Standing
from protocol.errors import SageError
from protocol.lct import Lct
from protocol.messages.action import Action, Imported, Reputation, Revoked, RulesAdopted, Witnessed
from protocol.messages.trust import Outcome

R6, R7, RULES, IDENTITY, WITNESS, REVOCATION, IMPORT = (
    "r6",
    "r7",
    "rules",
    "identity",
    "witness",
    "revocation",
    "import",
)
FIRST_FORMAT = "outcome"
"""Kind of the entries that were written before actions had their form."""
BODIES: dict[str, Any] = {
    R6: Action,
    R7: Action,
    RULES: RulesAdopted,
    IDENTITY: Lct,
    WITNESS: Witnessed,
    REVOCATION: Revoked,
    IMPORT: Imported,
}
_DECODERS = {kind: msgspec.json.Decoder(body) for kind, body in BODIES.items()}
_FIRST_DECODER = msgspec.msgpack.Decoder(Outcome)
BEFORE_RULES = Rules()
"""What applies to entries that were written before there were rules."""
SAME = 1e-9
"""Two computers may differ by this much in a power; a step is a million times as large."""


class Inconsistent(SageError):
    """An entry that is as it was written, and says what cannot follow from those before it."""

    code = "trust.inconsistent"


@dataclass
class Derived:
    """Everything that the entries of one host give."""

    host: Lct
    verify: Verify
    rules: MutableMapping[str, Rules] = field(default_factory=dict)
    current: str = ""
    """Digest of the rules that apply now; empty: none were adopted."""
    identities: MutableMapping[str, Lct] = field(default_factory=dict)
    standings: MutableMapping[Place, Standing] = field(default_factory=dict)

    def branch(self) -> Derived:
        """One that can be thrown away; `self` does not notice what becomes of it."""
        return Derived(
            self.host,
            self.verify,
            ChainMap({}, self.rules),
            self.current,
            ChainMap({}, self.identities),
            ChainMap({}, self.standings),
        )

    def keep(self, branch: Derived) -> None:
        """Take over what has become of a branch."""
        self.rules.update(_changed(branch.rules))
        self.current = branch.current
        self.identities.update(_changed(branch.identities))
        self.standings.update(_changed(branch.standings))

    def changed(self) -> tuple[dict[str, Lct], dict[Place, Standing]]:
        """Of a branch: the identities and standings that are no longer what they were."""
        return _changed(self.identities), _changed(self.standings)


def decode(kind: str, plain: bytes) -> Any:
    """What an entry says. Raises `Inconsistent` for a kind or a body that this program does not know."""
    try:
        return _FIRST_DECODER.decode(plain) if kind == FIRST_FORMAT else _DECODERS[kind].decode(plain)
    except KeyError:
        raise Inconsistent(f"entries of the kind {kind!r} are not known here", remedy="upgrade this program") from None
    except msgspec.DecodeError as error:
        raise Inconsistent(f"does not say what a {kind!r} says: {error}") from error


def outcome_of(said: Any) -> Outcome | None:
    """The outcome that an entry tells of, where it does."""
    if isinstance(said, Outcome):
        return said
    if not isinstance(said, Action):
        return None
    try:
        return r7.outcome_of(said)
    except (msgspec.ValidationError, TypeError) as error:
        raise Inconsistent(f"tells of no outcome: {error}") from error


def subject_of(outcome: Outcome, host: Lct) -> str:
    """LCT id of who acted: the adapter that answered, else the version of the model."""
    if outcome.adapter:
        return bound_id(host, ADAPTER, outcome.adapter)
    return bound_id(host, MODEL, outcome.version or outcome.model)


def act(derived: Derived, outcome: Outcome, *, by: str, nonce: bytes, entry: int, wall_ns: int) -> Action:
    """The action that `entry` tells of `outcome`, told by LCT `by`; the standing of who acted is moved."""
    place = Place(subject_of(outcome, derived.host), outcome.level, outcome.context)
    rules = derived.rules[derived.current]
    reputation = None
    if not routine(outcome, rules):
        witnesses = [by] if by != derived.host.id else []
        reputation = _move(derived, outcome, place, entry, wall_ns, rules, witnesses)
    return r7.action(outcome, subject=place.subject, by=by, nonce=nonce, rules=derived.current, reputation=reputation)


def take(derived: Derived, said: Any, entry: int, wall_ns: int, entry_digest: Callable[[int], bytes | None]) -> None:
    """What an entry says becomes part of `derived`. Raises `Inconsistent` or `IdentityRefused` where it cannot be."""
    match said:
        case Action():
            _take_action(derived, said, entry, wall_ns)
        case Outcome():
            place = Place(subject_of(said, derived.host), said.level, said.context)
            if not routine(said, BEFORE_RULES):
                _move(derived, said, place, entry, wall_ns, BEFORE_RULES, [])
        case RulesAdopted():
            derived.rules[said.digest] = _rules(said)
            derived.current = said.digest
        case Lct():
            _take_identity(derived, said)
        case Witnessed():
            check_witness(said.subject, said.attestation, derived.identities, entry_digest, derived.verify)
            if not said.subject.startswith(ENTRY):
                lct = derived.identities[said.subject]
                derived.identities[said.subject] = with_attestation(lct, said.attestation)
        case Revoked():
            if said.subject == derived.host.id:
                raise Inconsistent("a host does not revoke itself: it would sign that its signature is worth nothing")
            lct = _known(derived, said.subject)
            derived.identities[said.subject] = msgspec.structs.replace(lct, revoked_ns=wall_ns)


def rules_of(text: str) -> RulesAdopted:
    """What is written down of a configuration."""
    return RulesAdopted(digest=hashlib.sha256(text.encode()).hexdigest(), text=text)


def same(one: Standing, other: Standing) -> bool:
    """Whether two standings are the same, but for the last digits of a sum."""
    if one == other:
        return True
    blank = {"t3": Standing().t3, "v3": Standing().v3}
    plain = [msgspec.structs.replace(each, **blank) for each in (one, other)]
    return plain[0] == plain[1] and _near(one.t3, other.t3) and _near(one.v3, other.v3)


def _take_action(derived: Derived, said: Action, entry: int, wall_ns: int) -> None:
    rules = derived.rules.get(said.rules)
    if rules is None:
        raise Inconsistent(f"names rules that were never adopted: {said.rules[:12]}")
    if said.role.subject not in derived.identities:
        raise Inconsistent(f"tells of {said.role.subject}, who is not known")
    outcome = outcome_of(said)
    assert outcome is not None
    place = Place(said.role.subject, outcome.level, outcome.context)
    told = said.reputation
    if (told is None) != routine(outcome, rules):
        raise Inconsistent("is not of the form, R6 or R7, that its rules give")
    if told is None:
        return
    given = _move(derived, outcome, place, entry, wall_ns, rules, told.witnesses)
    if given != told and not _told_alike(given, told):
        raise Inconsistent("tells another change of reputation than its rules give")


def _move(
    derived: Derived,
    outcome: Outcome,
    place: Place,
    entry: int,
    wall_ns: int,
    rules: Rules,
    witnesses: list[str],
) -> Reputation:
    before = derived.standings.get(place) or Standing()
    reputation, derived.standings[place] = gained(outcome, place, before, entry, wall_ns, rules, witnesses)
    return reputation


def _take_identity(derived: Derived, lct: Lct) -> None:
    check_record(lct, derived.host, derived.verify)
    before = derived.identities.get(lct.id)
    if before is not None:
        # A lineage that became known later; what others said in between, and a revocation, stay.
        others = [one for one in before.attestations if one not in lct.attestations]
        lct = msgspec.structs.replace(
            lct, attestations=[*others, *lct.attestations], revoked_ns=before.revoked_ns or lct.revoked_ns
        )
    derived.identities[lct.id] = lct


def _known(derived: Derived, ident: str) -> Lct:
    lct = derived.identities.get(ident)
    if lct is None:
        raise Inconsistent(f"names {ident}, who is not known here")
    return lct


def _rules(said: RulesAdopted) -> Rules:
    if rules_of(said.text).digest != said.digest:
        raise Inconsistent("adopts rules under a digest that is not theirs")
    try:
        return msgspec.json.decode(said.text, type=Rules)
    except msgspec.DecodeError as error:
        raise Inconsistent(f"adopts rules that cannot be read: {error}") from error


def _told_alike(one: Reputation, other: Reputation) -> bool:
    numbers = ("t3_from", "t3_to", "v3_from", "v3_to")
    if not all(_near(getattr(one, name), getattr(other, name)) for name in numbers):
        return False
    blank: dict[str, Any] = {name: getattr(one, name) for name in numbers} | {"factors": {}}
    near = all(
        math.isclose(value, other.factors.get(name, math.nan), abs_tol=SAME) for name, value in one.factors.items()
    )
    return near and msgspec.structs.replace(one, **blank) == msgspec.structs.replace(other, **blank)


def _near(one: msgspec.Struct, other: msgspec.Struct) -> bool:
    return all(math.isclose(getattr(one, name), getattr(other, name), abs_tol=SAME) for name in one.__struct_fields__)


def _changed(part: MutableMapping[Any, Any]) -> dict[Any, Any]:
    assert isinstance(part, ChainMap)
    return dict(part.maps[0])
