"""An outcome as an action of Web4, R6 or R7, back again, and in words. Pure, and without loss.

Fields of an outcome that have no place in the form, such as those that a later version adds, travel in `other`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from protocol.lct import Lct
from protocol.messages.action import (
    T3,
    V3,
    Action,
    Imported,
    Reference,
    Reputation,
    Request,
    Resource,
    Result,
    Revoked,
    Role,
    RulesAdopted,
    Witnessed,
)
from protocol.messages.trust import Outcome

ANSWER, JUDGEMENT = "answer", "judgement"

_REFERENCE = (
    *("exchange", "session", "context", "cluster", "model", "version", "adapter", "judgement", "trace"),
    *("override", "chosen"),
)
_RESOURCE = ("tokens_in", "tokens_out", "seconds", "cpu_s", "joules", "atp")
_RESULT = ("score", "confidence", "delivered", "breach")
_ELSEWHERE = ("level", "source", "stake")
_OTHER = tuple(
    field
    for field in msgspec.structs.fields(Outcome)
    if field.name not in (*_REFERENCE, *_RESOURCE, *_RESULT, *_ELSEWHERE)
)


def action(
    outcome: Outcome, *, subject: str, by: str, nonce: bytes, rules: str, reputation: Reputation | None
) -> Action:
    """What is written down of an outcome. `subject` and `by` are LCT ids, `rules` the digest of those that apply."""
    return Action(
        rules=rules,
        role=Role(subject=subject, name=outcome.level),
        request=Request(what=JUDGEMENT if outcome.judgement else ANSWER, by=by, nonce=nonce, stake=outcome.stake),
        reference=Reference(**_picked(outcome, _REFERENCE)),
        resource=Resource(**_picked(outcome, _RESOURCE)),
        result=Result(verifier=outcome.source, **_picked(outcome, _RESULT)),
        reputation=reputation,
        other=_other(outcome),
    )


def outcome_of(said: Action) -> Outcome:
    """The outcome that `said` was made of. Raises `msgspec.ValidationError` where another program's does not fit."""
    told = {
        **_picked(said.reference, _REFERENCE),
        **_picked(said.resource, _RESOURCE),
        **_picked(said.result, _RESULT),
        "level": said.role.name,
        "source": said.result.verifier,
        "stake": said.request.stake,
    }
    if not said.other:
        return Outcome(**told)
    return Outcome(**told, **{field.name: _typed(said.other, field) for field in _OTHER if field.name in said.other})


def form(said: Action) -> str:
    return "R7" if said.reputation else "R6"


def in_words(said: Any, wall_ns: int) -> list[str]:
    """What an entry says, line by line. `said` is anything that an entry's body can be."""
    when = datetime.fromtimestamp(wall_ns / 1e9, UTC).isoformat(timespec="seconds")
    match said:
        case Action():
            return _action_in_words(said, when)
        case Outcome():
            judged = f"{said.level} in {said.context}: {said.score:.2f} by {said.source}"
            return [f"{when}: {judged}; written before actions had their form", str(said)]
        case RulesAdopted():
            return [f"{when}: from here on the rules {said.digest[:12]} apply", said.text]
        case Lct():
            lineage = f", which came from {', '.join(said.lineage)}" if said.lineage else ""
            return [f"{when}: {said.id} is known here{lineage}"]
        case Witnessed():
            stated = said.attestation
            return [f"{when}: {stated.by} signed of {said.subject}: {stated.statement!r}"]
        case Revoked():
            return [f"{when}: {said.subject} is revoked: {said.reason or 'no reason given'}"]
        case Imported():
            return [f"{when}: {said.entries} entries of {said.origin} were taken in; they prove themselves"]
        case _:
            return [f"{when}: {said}"]


def _action_in_words(said: Action, when: str) -> list[str]:
    reference, resource, result = said.reference, said.resource, said.result
    where = f"exchange {reference.exchange}, context {reference.context}"
    adapter = f", adapter {reference.adapter[:12]}" if reference.adapter else ""
    tokens = f"{resource.tokens_in} tokens in, {resource.tokens_out} out"
    besides = "" if result.delivered else ", not delivered whole"
    if result.breach:
        besides += f", broke a rule: {result.breach}"
    trace = f", trace {reference.trace.hex()}" if reference.trace else ""
    lines = [
        f"{form(said)} of {when}",
        f"rules       {said.rules[:12]}",
        f"role        {said.role.subject} as {said.role.name}",
        f"request     {said.request.what}, told by {said.request.by}, {said.request.stake:.2f} ATP at stake",
        f"reference   {where}, model {reference.model}, version {reference.version[:12]}{adapter}{trace}",
        *_choice_in_words(reference),
        f"resource    {tokens}, {resource.seconds:.2f} s, {resource.joules:.1f} J, {resource.atp:.2f} ATP",
        f"result      {result.score:.2f} by {result.verifier}, given with confidence {result.confidence:.2f}{besides}",
    ]
    return [*lines, *_reputation_in_words(said.reputation)]


def _choice_in_words(reference: Reference) -> list[str]:
    """Nothing of an action that was written down before actions told of it."""
    overruled = f"{reference.override} overruled trust and price: " if reference.override else ""
    return [f"chosen      {overruled}{reference.chosen}"] if overruled or reference.chosen else []


def _reputation_in_words(reputation: Reputation | None) -> list[str]:
    if reputation is None:
        return ["reputation  none: nobody judged it, so nothing is learned of whoever acted"]
    factors = ", ".join(f"{name} {value:.2f}" for name, value in reputation.factors.items())
    return [
        f"reputation  {reputation.outcome} in {reputation.context}: {reputation.reason}",
        f"            T3 {_change(reputation.t3_from, reputation.t3_to)}",
        f"            V3 {_change(reputation.v3_from, reputation.v3_to)}",
        f"            times {factors}; seen by {', '.join(reputation.witnesses) or 'nobody but this host'}",
    ]


def _change(before: T3 | V3, after: T3 | V3) -> str:
    return ", ".join(
        f"{name} {getattr(before, name):.4f} → {getattr(after, name):.4f}" for name in before.__struct_fields__
    )


def _picked(source: msgspec.Struct, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(source, name) for name in names}


def _other(outcome: Outcome) -> dict[str, Any]:
    """What differs from the defaults, as plain values."""
    return {
        field.name: msgspec.to_builtins(value)
        for field in _OTHER
        if (value := getattr(outcome, field.name)) != _default(field)
    }


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default_factory() if field.default is msgspec.NODEFAULT else field.default


def _typed(other: dict[str, Any], field: msgspec.structs.FieldInfo) -> Any:
    return msgspec.convert(other[field.name], field.type, str_keys=True)
