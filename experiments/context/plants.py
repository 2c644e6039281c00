"""What makes a moment stable, moving, unstable or novel, planted on purpose: each plant writes one dialogue.

The label is what was planted, by the meanings in the glossary; nothing is classified here. Kinds are *apart* or
*related* as `kinds.py` says, and where neither is certain, no plant rests on it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from experiments.context import repairs
from experiments.context.kinds import KINDS, TELLING, Kind, Slots, apart, related
from experiments.context.split import Side
from protocol.messages.context import Context

VARIED = tuple(kind for name, kind in KINDS.items() if name != "talk")
"""Kinds whose utterances resemble each other; small talk is twenty different things."""
RUN = (2, 4)


@dataclass(frozen=True)
class Draft:
    """What was said in earlier conversations, what in this one, and of which kinds all of it was."""

    said: tuple[str, ...]
    kinds: frozenset[str]
    earlier: tuple[tuple[str, ...], ...] = ()


@dataclass
class Writer:
    """Writes utterances of one side and keeps account of their kinds."""

    random: Random
    side: Side
    said: list[str] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)
    earlier: list[tuple[str, ...]] = field(default_factory=list)
    _subjects: set[tuple[str, ...]] = field(default_factory=set)

    def say(self, kind: Kind, count: int = 1, *, slots: Slots | None = None, unlike: str = "") -> None:
        """So many utterances of one kind; without `slots`, each about a subject that has not come up."""
        self.kinds.add(kind.name)
        for _ in range(count):
            self.said.append(kind.say(self.random, self.side, slots or self._fresh(kind), unlike=unlike))

    def run(self, kind: Kind) -> None:
        """Several different utterances of one kind."""
        self.say(kind, self.random.randint(*RUN))

    def before(self, kind: Kind) -> None:
        """Three earlier conversations, in which this kind came up twice each."""
        self.kinds.add(kind.name)
        self.earlier += [tuple(kind.say(self.random, self.side) for _ in range(2)) for _ in range(3)]

    def again(self, kind: Kind, text: str) -> None:
        """An utterance of `kind` in these very words."""
        self.kinds.add(kind.name)
        self.said.append(text)

    def _fresh(self, kind: Kind) -> Slots:
        while True:
            slots = kind.draw(self.random)
            subject = (kind.name, *(slots[key] for key in kind.about))
            if not kind.about or subject not in self._subjects:
                self._subjects.add(subject)
                return slots

    def any(self, *but: Kind, among: tuple[Kind, ...] = VARIED) -> Kind:
        """A kind apart from all of these."""
        return self.random.choice([kind for kind in among if all(apart(kind, other) for other in but)])

    def draft(self) -> Draft:
        return Draft(tuple(self.said), frozenset(self.kinds), tuple(self.earlier))


def run_goes_on(write: Writer) -> None:
    kind = write.any()
    write.say(kind, write.random.randint(3, 6))


def asked_again(write: Writer) -> None:
    """The very same words for the third or fourth time, now and then with something else in between."""
    kind = write.any(among=tuple(KINDS.values()))
    text = kind.say(write.random, write.side)
    between = write.random.randint(0, 4)
    for number in range(write.random.randint(3, 4)):
        if number == between:
            write.say(write.any(kind))
        write.again(kind, text)


def asked_in_other_words(write: Writer) -> None:
    """A run, at whose end one question comes twice, in two wordings."""
    kind = write.any()
    write.run(kind)
    slots = kind.draw(write.random)
    first = write.random.choice(kind.wordings_of(write.side))
    write.again(kind, first.format(**slots))
    write.say(kind, slots=slots, unlike=first)


def known_of_old(write: Writer) -> None:
    """Well known from earlier conversations, and this one begins with it."""
    kind = write.any()
    write.before(kind)
    write.say(kind, write.random.randint(1, 2))


def told_on(write: Writer) -> None:
    """One fact after the other, each about something else."""
    kind = write.random.choice(tuple(TELLING.values()))
    subjects = _different(write.random, kind, write.random.randint(3, 5))
    for slots in subjects:
        write.say(kind, slots=slots)


def told_again(write: Writer) -> None:
    """A fact that was told is told once more, unchanged."""
    kind = write.random.choice(tuple(TELLING.values()))
    first, *others = _different(write.random, kind, write.random.randint(2, 3))
    wording = write.random.choice(kind.wordings_of(write.side))
    write.again(kind, wording.format(**first))
    for slots in others:
        write.say(kind, slots=slots)
    opener = write.random.choice(("", "yes", "as i said", "again"))
    write.again(kind, f"{opener} {wording.format(**first)}".strip())


def drifts(write: Writer) -> None:
    """From one kind to a related one that has not come up before."""
    kind = write.random.choice([one for one in VARIED if any(related(one, other) for other in VARIED)])
    write.run(kind)
    write.say(write.random.choice([other for other in VARIED if related(kind, other)]))


def turns_to_the_known(write: Writer) -> None:
    """From one kind to another, apart from it, that earlier conversations made well known."""
    kind = write.any()
    other = write.any(kind)
    write.before(other)
    write.say(kind, write.random.randint(3, 4))
    write.say(other)


def turns_back(write: Writer) -> None:
    """Back to what the conversation was about before it was about something else."""
    kind = write.any()
    other = write.any(kind)
    write.run(kind)
    write.say(other, write.random.randint(2, 3))
    write.say(kind)


def asks_after_telling(write: Writer) -> None:
    """Facts, then a related question."""
    kind = write.random.choice([one for one in TELLING.values() if any(related(one, other) for other in _ASKING)])
    for slots in _different(write.random, kind, write.random.randint(*RUN)):
        write.say(kind, slots=slots)
    write.say(write.random.choice([other for other in _ASKING if related(kind, other)]))


def _new(write: Writer) -> None:
    """After a run of one kind, or of two, something apart from all of it."""
    kinds = [write.any()]
    if write.random.random() < 0.4:
        kinds.append(write.any(*kinds))
    for kind in kinds:
        write.run(kind)
    write.say(write.any(*kinds, among=tuple(KINDS.values())))


def new_after_a_run(write: Writer) -> None:
    _new(write)


def new_after_telling(write: Writer) -> None:
    kind = write.random.choice(tuple(TELLING.values()))
    for slots in _different(write.random, kind, write.random.randint(*RUN)):
        write.say(kind, slots=slots)
    write.say(write.any(kind, among=tuple(KINDS.values())))


def new_fact(write: Writer) -> None:
    """Something is told that is apart from all that was asked."""
    kind = write.any()
    write.run(kind)
    others = [other for other in TELLING.values() if apart(kind, other)]
    write.say(write.random.choice(others or [KINDS["robot"]]))


def first_of_all(write: Writer) -> None:
    write.say(write.any(among=tuple(KINDS.values())))


def fact_replaced(write: Writer) -> None:
    """A fact, perhaps others, then the first with another value, in the same wording and without a word about it."""
    kind = write.random.choice(tuple(TELLING.values()))
    first, *others = _different(write.random, kind, write.random.randint(1, 3))
    wording = write.random.choice(kind.wordings_of(write.side))
    write.again(kind, wording.format(**first))
    for slots in others:
        write.say(kind, slots=slots)
    write.again(kind, wording.format(**_otherwise(write.random, kind, first)))


def fact_reworded_and_replaced(write: Writer) -> None:
    """The same, but the new value comes in another wording."""
    kind = write.random.choice(tuple(TELLING.values()))
    first, *others = _different(write.random, kind, write.random.randint(1, 2))
    wording = write.random.choice(kind.wordings_of(write.side))
    write.again(kind, wording.format(**first))
    for slots in others:
        write.say(kind, slots=slots)
    write.say(kind, slots=_otherwise(write.random, kind, first), unlike=wording)


def fact_corrected(write: Writer) -> None:
    """Told, and taken back with another value in few words: no, in the kitchen."""
    kind = write.random.choice(tuple(TELLING.values()))
    *others, last = _different(write.random, kind, write.random.randint(1, 3))
    for slots in (*others, last):
        write.say(kind, slots=slots)
    new = _otherwise(write.random, kind, last)
    write.again(kind, repairs.of_fact(write.random, write.side, kind, last, new))


def question_corrected(write: Writer) -> None:
    """Asked, and then meant otherwise."""
    kind = KINDS[write.random.choice(tuple(repairs.MEANT))]
    write.say(kind, write.random.randint(0, 2))
    asked, slot = kind.draw(write.random), repairs.MEANT[kind.name]
    write.say(kind, slots=asked)
    while (new := kind.draw(write.random))[slot] == asked[slot]:
        pass
    write.again(kind, repairs.of_question(write.random, write.side, kind, {**asked, slot: new[slot]}))


def fact_denied(write: Writer) -> None:
    kind = write.random.choice([one for one in TELLING.values() if repairs.denials(write.side, one)])
    *others, last = _different(write.random, kind, write.random.randint(1, 3))
    for slots in (*others, last):
        write.say(kind, slots=slots)
    write.again(kind, repairs.denial(write.random, write.side, kind, last))


def to_and_fro(write: Writer) -> None:
    """Between two kinds that are apart, at least twice there and back."""
    kind = write.any()
    pair = (kind, write.any(kind))
    for number in range(write.random.randint(5, 6)):
        write.say(pair[number % 2])


def on_and_off(write: Writer) -> None:
    """One device between two states, at least twice there and back."""
    kind = KINDS[write.random.choice(("device", "setting"))]
    slots = kind.draw(write.random)
    while (other := kind.draw(write.random)["state"]) == slots["state"]:
        pass
    wording = write.random.choice(kind.wordings_of(write.side))
    for number in range(write.random.randint(4, 6)):
        write.again(kind, wording.format(**(slots if number % 2 else {**slots, "state": other})))


_ASKING = tuple(kind for kind in VARIED if not kind.value)


def _different(random: Random, kind: Kind, count: int) -> list[Mapping[str, str]]:
    """Slots of so many facts, no two about the same subject."""
    found: dict[tuple[str, ...], Mapping[str, str]] = {}
    while len(found) < count:
        slots = kind.draw(random)
        found.setdefault(tuple(slots[key] for key in kind.about), slots)
    return list(found.values())


def _otherwise(random: Random, kind: Kind, slots: Mapping[str, str]) -> Mapping[str, str]:
    """The same subject with another value."""
    while (value := kind.draw(random)[kind.value]) == slots[kind.value] or value in slots.values():
        pass
    return {**slots, kind.value: value}


PLANTS: Mapping[Context, tuple[Callable[[Writer], None], ...]] = {
    Context.STABLE: (run_goes_on, asked_again, asked_in_other_words, known_of_old, told_on, told_again),
    Context.MOVING: (drifts, turns_to_the_known, turns_back, asks_after_telling),
    Context.UNSTABLE: (
        fact_replaced,
        fact_reworded_and_replaced,
        fact_corrected,
        question_corrected,
        fact_denied,
        to_and_fro,
        on_and_off,
    ),
    Context.NOVEL: (new_after_a_run, new_after_telling, new_fact, first_of_all),
}
