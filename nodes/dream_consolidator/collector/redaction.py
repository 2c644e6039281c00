"""Takes out of an exchange what names people or opens doors, before anything of it is written. Pure.

The same address becomes the same placeholder wherever it stands in the exchange, `[email 1]`, so that an answer still
refers to its question. Expressions are RE2's: whatever a user writes, it takes time linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from nodes.dream_consolidator.collector.identifiers import KINDS, Kind, whole
from protocol.messages.model import ChatMessage

if TYPE_CHECKING:
    from nodes.dream_consolidator.collector.examples import Example

KindName = Literal["credentials", "email", "iban", "card", "ip", "phone"]

_PLACEHOLDER = re.compile(r"\[([a-z][a-z0-9_]*) [0-9]+\]")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A rule of the user's own, proved when it is loaded by what it must find and what it must leave."""

    name: str
    pattern: str
    """An expression of RE2. Where it has a group, the group alone is taken out."""
    replacement: str = ""
    """What is written instead; empty: `[name 1]`, numbered as those that ship."""
    hits: tuple[str, ...]
    """Texts in which it finds something."""
    misses: tuple[str, ...]
    """Texts in which it finds nothing."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name in KINDS:
            raise ValueError(f"name {self.name!r} must be lower-case letters, digits and _, and none of a kind")
        if not self.hits or not self.misses:
            raise ValueError(f"{self.name} needs at least one text that it hits and one that it misses")
        finder = _Finder(self.name, Kind(self.pattern, whole), self.replacement)
        if finder.groups > 1:
            raise ValueError(f"{self.name} has {finder.groups} groups; let one say what is taken out: (?:…) is none")
        for text, expected in [*((hit, True) for hit in self.hits), *((miss, False) for miss in self.misses)]:
            if bool(list(finder.spans(text))) is not expected:
                raise ValueError(f"{self.name} {'misses' if expected else 'hits'} {text!r}")


class Redact(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is taken out of every exchange before it is kept."""

    kinds: tuple[KindName, ...] = ("credentials", "email", "iban", "card", "ip", "phone")
    own: tuple[Rule, ...] = ()
    """They go before the kinds, in this order; what one has taken no other sees."""

    def __post_init__(self) -> None:
        names = [*(rule.name for rule in self.own), *self.kinds]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"named twice: {', '.join(sorted(twice))}")


class Redacted(NamedTuple):
    example: Example
    counts: dict[str, int]
    """Rule → how many places it changed."""


class _Piece(NamedTuple):
    text: str
    taken: bool
    """A placeholder: what one rule has taken no other sees."""


class Redactor:
    """The rules, ready to be applied."""

    def __init__(self, rules: Redact) -> None:
        own = [_Finder(rule.name, Kind(rule.pattern, whole), rule.replacement) for rule in rules.own]
        self._finders = [*own, *(_Finder(name, KINDS[name], "") for name in rules.kinds)]

    @property
    def names(self) -> list[str]:
        return [finder.name for finder in self._finders]

    def redacted(self, example: Example) -> Redacted:
        """The example without what the rules find. Token ids of an answer that changed would tell it: they go too."""
        notes = _Notes()
        messages = tuple(
            ChatMessage(role=message.role, content=self._cleaned(message.content, notes))
            for message in example.messages
        )
        answer = self._cleaned(example.answer, notes)
        if not notes.counts:
            return Redacted(example, {})
        ids = example.ids if answer == example.answer else ()
        changed = msgspec.structs.replace(example, messages=messages, answer=answer, ids=ids)
        return Redacted(changed, notes.counts)

    def _cleaned(self, text: str, notes: _Notes) -> str:
        pieces = [_Piece(text, taken=False)]
        for finder in self._finders:
            pieces = [
                part for piece in pieces for part in ([piece] if piece.taken else _cut(piece.text, finder, notes))
            ]
        return "".join(piece.text for piece in pieces)


def _cut(text: str, finder: _Finder, notes: _Notes) -> Iterator[_Piece]:
    done = 0
    for begin, end in finder.spans(text):
        yield _Piece(text[done:begin], taken=False)
        yield _Piece(notes.placeholder(finder, text[begin:end]), taken=True)
        done = end
    yield _Piece(text[done:], taken=False)


class _Notes:
    """The placeholders of one exchange."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._numbers: dict[tuple[str, str], int] = {}

    def placeholder(self, finder: _Finder, found: str) -> str:
        self.counts[finder.name] = self.counts.get(finder.name, 0) + 1
        if finder.replacement:
            return finder.replacement
        known = sum(name == finder.name for name, _ in self._numbers)
        number = self._numbers.setdefault((finder.name, finder.kind.same(found)), known + 1)
        return f"[{finder.name} {number}]"


class _Finder:
    def __init__(self, name: str, kind: Kind, replacement: str) -> None:
        self.name, self.kind, self.replacement = name, kind, replacement
        self._pattern = _compiled(kind.pattern, name)

    @property
    def groups(self) -> int:
        return int(self._pattern.groups)

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where something is, from left to right, none inside another."""
        if self.kind.needs and self.kind.needs.isdisjoint(text):
            return
        place = 0
        while (match := self._pattern.search(text, place)) is not None:
            group = match.lastindex or 0
            begin = match.start(group)
            end = self.kind.check(text, begin, match.end(group))
            if end > begin:
                yield begin, end
                place = end
            else:  # a candidate that is none may hide one that begins inside it
                place = _next_word(text, match.start())


def unnumbered(text: str) -> str:
    """`text` with its placeholders alike, whichever exchange they were numbered in."""
    return _PLACEHOLDER.sub(r"[\1]", text)


def _compiled(pattern: str, name: str) -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise ValueError(f"{name}: the expression is none of RE2's: {reason}") from error
    if compiled.search("") is not None:
        raise ValueError(f"{name}: the expression finds nothing everywhere; let it need a character")
    return compiled


def _next_word(text: str, begin: int) -> int:
    """The beginning of the next run of letters and digits after the one at `begin`."""
    place = begin + 1
    while place < len(text) and text[place - 1].isalnum() and text[place].isalnum():
        place += 1
    return place
