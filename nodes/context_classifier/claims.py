"""Whether an utterance is at odds with an earlier one: it denies it, gives something another value, or takes it back.

Two clauses are laid beside each other word by word. What both have is what they are about. What only one has may be
*swapped* for something in the other: a number for a number, a word for one of its sort (by the encoder), or whatever
stands in the same place between the same words. One swap alone, where a statement has its value, is a contradiction; a
second one says that they speak of different things.

Words are kept as checksums and as rows of the encoder's table: no text.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from nodes.context_classifier.grammar import clauses, finite_verb, read
from nodes.context_classifier.small_words import is_content, is_number, negates

SHORT = 4
"""Words with a meaning of their own in a fragment, at most."""
KIN = 0.25
"""Two statements less alike as wholes than this speak of different matters."""
ALIKE_BUILT = 0.6
"""Share of the words that a repeated utterance has in common with what it corrects, or puts for them."""
COMPARED = 40
"""Words at the beginning of an utterance that are compared with those of others; the cost grows with the square."""
MEANT = 0.75
"""Likeness in what would be answered from which on two questions may be one in other words."""
AGAIN = 0.8
"""How surely such a question asks the same."""
FURTHER = ("else", "next", "another", "more")
"""Who asks with these in the same words again wants what comes after the answer."""
FEWEST_ASKED = 3
"""Words below which a question hangs on the answer before it, such as a second `why`."""
EXPLETIVE = ("it", "there")

Sort = Callable[[int, int], float]


class Clause(msgspec.Struct, frozen=True):
    """Word by word: checksum, row of the encoder's table (-1: none), and whether it counts."""

    words: tuple[int, ...]
    rows: tuple[int, ...]
    content: tuple[int, ...]
    """Positions of words with a meaning of their own; the last word is always one."""
    numbers: tuple[int, ...]
    verb: int
    """Position of the finite verb; -1: none."""
    values: tuple[int, ...]
    """Positions where a statement has its value."""
    expletive: bool
    """It begins with a word that stands for nothing: it, there."""


class Heard(msgspec.Struct, frozen=True):
    """What is remembered of an utterance to compare later ones with."""

    whole: int
    """Checksum of all its words: utterances of one checksum are the same."""
    clauses: tuple[Clause, ...]
    asks: bool
    denies: bool
    repairs: bool

    @property
    def tells(self) -> bool:
        return not self.asks and all(clause.verb >= 0 for clause in self.clauses)

    @property
    def mood(self) -> tuple[bool, bool]:
        """Asking, telling, or neither, as an order."""
        return self.asks, self.tells


class Conflict(msgspec.Struct, frozen=True):
    strength: float
    """0..1"""
    why: str = ""


NONE = Conflict(0.0)


def hear(text: str, row: Callable[[str], int]) -> Heard:
    reading = read(text)
    words = reading.words[:COMPARED]
    parts = [words] if reading.asks else clauses(words)
    return Heard(
        whole=_sum(" ".join(reading.words)),
        clauses=tuple(_clause(part, row, asks=reading.asks) for part in parts),
        asks=reading.asks,
        denies=reading.denies,
        repairs=reading.repairs,
    )


def conflict(new: Heard, earlier: Sequence[tuple[Heard, float]], sort: Sort) -> Conflict:
    """The strongest conflict of `new` with what was said in this conversation: oldest first, with its likeness 0..1.

    Only the last word on a matter counts: a value that was replaced before is not held against a later one.
    """
    found = NONE
    for back, (old, likeness) in enumerate(reversed(earlier)):
        if not new.repairs and agrees(new, old, sort):
            break
        one = max(_taken_back(new, old, likeness, sort, back), _at_odds(new, old, likeness, sort), key=_strength)
        found = max(found, one, key=_strength)
    return max(found, _rejected(new), key=_strength) if earlier else found


def parallel(new: Heard, old: Heard, sort: Sort) -> float:
    """How much both are built alike, 0..1: the share of their words that they have in common or swap for each other.

    0 where one asks and the other tells, or gives an order.
    """
    if new.mood != old.mood:
        return 0.0
    found = 0.0
    for one in new.clauses:
        for other in old.clauses:
            laid = lay(one, other, sort)
            most = max(len(_bearing(one)), len(_bearing(other)))
            found = max(found, (len(laid.shared) + len(laid.swaps)) / most) if most else found
    return min(1.0, found)


def kept(new: Heard, earlier: Sequence[Heard]) -> float:
    """Share of the words that the last two have in common, 0..1, that it has as well; 1 where they have none.

    What does not change while a conversation goes on is what it is about: sums are about `plus`.
    """
    if len(earlier) < 2 or earlier[-1].whole == earlier[-2].whole or earlier[-1].tells != earlier[-2].tells:
        return 1.0
    common = _contents(earlier[-1]) & _contents(earlier[-2])
    words = {word for clause in new.clauses for word in clause.words}
    return len(common & words) / len(common) if common else 1.0


def _contents(heard: Heard) -> set[int]:
    return {clause.words[at] for clause in heard.clauses for at in clause.content}


def kinship(new: Heard, earlier: Sequence[Heard], sort: Sort, weight: Callable[[int], float]) -> float:
    """Share of what it speaks of, 0..1, that one of the earlier ones spoke of, or of something of the same sort.

    `weight` of a word's row says how much it counts: those that stand in every other utterance say little.
    """
    found = 0.0
    others = [clause for old in earlier for clause in old.clauses]
    for one in new.clauses:
        places = {at: weight(one.rows[at]) for at in _bearing(one) or one.content}
        kin = sum(each for at, each in places.items() if any(_akin(one, at, other, sort) for other in others))
        found = max(found, kin / sum(places.values()) if places else 0.0)
    return found


def _akin(one: Clause, at: int, other: Clause, sort: Sort) -> bool:
    if at in one.numbers:
        return bool(other.numbers)
    if one.words[at] in {other.words[to] for to in other.content}:
        return True
    row = one.rows[at]
    return row >= 0 and any(other.rows[to] >= 0 and sort(row, other.rows[to]) > 0 for to in other.content)


def agrees(new: Heard, old: Heard, sort: Sort) -> bool:
    """Whether both say the same: in the same words, or the same value of the same thing."""
    if old.whole == new.whole:
        return True
    if not (new.tells and old.tells) or new.denies != old.denies:
        return False
    return any(_same_value(one, other, sort) for one in new.clauses for other in old.clauses)


def repetition(new: Heard, old: Heard, meant: float) -> float:
    """How surely `new` asks the same once more, 0..1.

    In the same words; or with one more or less of those that bear it, where `meant`, the likeness in what would be
    answered, is great. Who tells the same again asks nothing, and who orders it may want it done once more.
    """
    if not (new.asks and old.asks) or _goes_on(new):
        return 0.0
    if new.whole == old.whole:
        return 1.0
    if meant < MEANT:
        return 0.0
    fewer, more = sorted((_borne(new), _borne(old)), key=Counter.total)
    odd = more - fewer
    numbers = {clause.words[at] for heard in (new, old) for clause in heard.clauses for at in clause.numbers}
    again = fewer and fewer <= more and odd.total() <= 1 and not numbers & odd.keys()
    return AGAIN if again else 0.0


def _goes_on(heard: Heard) -> bool:
    words = [word for clause in heard.clauses for word in clause.words]
    return len(words) < FEWEST_ASKED or any(_sum(word) in words for word in FURTHER)


def _borne(heard: Heard) -> Counter[int]:
    return Counter(clause.words[at] for clause in heard.clauses for at in _bearing(clause))


def _same_value(one: Clause, other: Clause, sort: Sort) -> bool:
    mine, theirs = ({clause.words[at] for at in clause.values} for clause in (one, other))
    if not mine or mine != theirs:
        return False
    laid = lay(one, other, sort)
    return not laid.swaps and bool(set(laid.shared) - mine)


def _strength(one: Conflict) -> float:
    return one.strength


def _at_odds(new: Heard, old: Heard, likeness: float, sort: Sort) -> Conflict:
    """Two statements about the same matter that cannot both hold."""
    if not (new.tells and old.tells):
        return NONE
    kindred = likeness >= KIN or parallel(new, old, sort) >= ALIKE_BUILT
    found = NONE
    for one in new.clauses:
        for other in old.clauses:
            laid = lay(one, other, sort)
            if len(laid.shared) < (1 if kindred else 2):
                continue
            if new.denies != old.denies and not laid.swaps:
                found = max(found, Conflict(0.9, "it denies something just said"), key=_strength)
            elif new.denies == old.denies and laid.replaces(one, other):
                strength = 0.95 if laid.framed else 0.85
                found = max(found, Conflict(strength, "it gives another value to something just said"), key=_strength)
    return found


def _rejected(new: Heard) -> Conflict:
    """It denies, and says nothing of its own: what it speaks of is what was said just before it."""
    whole = new.clauses[0]
    if new.denies and not new.asks and not _bearing(whole) and (whole.expletive or not whole.words):
        return Conflict(0.9, "it denies what was just said")
    return NONE


def _taken_back(new: Heard, old: Heard, likeness: float, sort: Sort, back: int) -> Conflict:
    """It begins as a repair, and puts something in the place of a part of one of the last two utterances."""
    if not new.repairs or back > 1 or not new.clauses[0].words:
        return NONE
    whole = new.clauses[0]
    fragment = not new.asks and (whole.verb < 0 or whole.expletive) and len(_bearing(whole)) <= SHORT
    swaps = any(lay(whole, other, sort).swaps or _adds(whole, other, sort) for other in old.clauses)
    again = likeness >= 2 * KIN or parallel(new, old, sort) >= ALIKE_BUILT
    if swaps if fragment else again:
        return Conflict(0.95 - 0.2 * back, "it takes back something just said")
    return NONE


def _adds(one: Clause, other: Clause, sort: Sort) -> bool:
    """Whether it names something that the other does not, but of the sort of something there."""
    return any(one.words[at] not in other.words and _akin(one, at, other, sort) for at in _bearing(one))


class Laid(msgspec.Struct, frozen=True):
    """Two clauses beside each other."""

    shared: tuple[int, ...]
    """Checksums of what both are about, verbs aside."""
    swaps: tuple[tuple[int, int], ...]
    """Positions in one and in the other of words that stand for each other, verbs aside."""
    framed: bool
    """All else is the same, word by word."""

    def replaces(self, one: Clause, other: Clause) -> bool:
        """Whether the only difference is the value."""
        return len(self.swaps) == 1 and self.swaps[0][0] in one.values and self.swaps[0][1] in other.values


def lay(one: Clause, other: Clause, sort: Sort) -> Laid:
    """The words of two clauses beside each other."""
    mine, theirs = _bearing(one), _bearing(other)
    have, had = {one.words[at] for at in mine}, {other.words[at] for at in theirs}
    only = [at for at in mine if one.words[at] not in had]
    left = [at for at in theirs if other.words[at] not in have]
    swaps: list[tuple[int, int]] = []
    for at in only:
        best = max(left, key=lambda to: _swap(one, at, other, to, sort), default=None)
        if best is not None and _swap(one, at, other, best, sort) > 0:
            swaps.append((at, best))
            left.remove(best)
    return Laid(
        shared=tuple(have & had),
        swaps=tuple(swaps),
        framed=len(one.words) == len(other.words)
        and sum(mine != theirs for mine, theirs in zip(one.words, other.words, strict=True)) <= 1,
    )


def _swap(one: Clause, at: int, other: Clause, to: int, sort: Sort) -> float:
    """How surely the word at one place stands for the other, 0..1."""
    if (at in one.numbers) != (to in other.numbers):
        return 0.0
    if at in one.numbers:
        return 1.0
    if _place(one, at) == _place(other, to):
        return 0.9
    if min(one.rows[at], other.rows[to]) < 0:
        return 0.5 if _place(one, at)[:1] == _place(other, to)[:1] and _ends(one, at) and _ends(other, to) else 0.0
    return sort(one.rows[at], other.rows[to])


def _place(clause: Clause, at: int) -> tuple[int, int]:
    """The words before and after; 0 at either end."""
    words = clause.words
    return (words[at - 1] if at else 0, words[at + 1] if at + 1 < len(words) else 0)


def _ends(clause: Clause, at: int) -> bool:
    return at + 1 == len(clause.words)


def _bearing(clause: Clause) -> list[int]:
    return [at for at in sorted((*clause.content, *clause.numbers)) if at != clause.verb]


def _clause(words: tuple[str, ...], row: Callable[[str], int], *, asks: bool) -> Clause:
    last = len(words) - 1
    numbers = tuple(at for at, word in enumerate(words) if is_number(word))
    content = tuple(
        at
        for at, word in enumerate(words)
        if at not in numbers and not negates(word) and (is_content(word) or at == last)
    )
    expletive = bool(words) and words[0] in EXPLETIVE
    verb = -1 if asks else finite_verb(words)
    values = numbers or (() if expletive and content[:-1] else content[-1:])
    return Clause(
        words=tuple(_sum(word) for word in words),
        rows=tuple(row(word) if at in content else -1 for at, word in enumerate(words)),
        content=content,
        numbers=numbers,
        verb=verb,
        values=tuple(at for at in values if at > verb),
        expletive=expletive,
    )


def _sum(text: str) -> int:
    return zlib.crc32(text.encode())
