"""How people take back what they said: with another value in few words, or by saying that it is not so."""

from collections.abc import Mapping
from random import Random

from experiments.context.kinds import Kind
from experiments.context.split import Side, halves

_FACT = (
    "no {value}",
    "no it is {value}",
    "no {fact}",
    "i meant {value}",
    "sorry {value}",
    "wait {value}",
    "actually {fact}",
    "not {old} but {value}",
    "no no {value}",
    "that is wrong {fact}",
    "i made a mistake {fact}",
    "correction {value}",
    "rather {value}",
    "oh no {fact}",
)
_QUESTION = (
    "no i meant {value}",
    "sorry {value}",
    "no {question}",
    "wait {question}",
    "i mean {value}",
    "oh no {value}",
    "sorry i meant {value}",
    "not that {value}",
    "actually {question}",
    "rather {value}",
)
_PHRASES: Mapping[str, str] = {
    "tell_place": "in the {room}",
    "tell_wish": "the {thing}",
    "tell_boss": "{boss}",
    "tell_visit": "on {day}",
    "tell_degrees": "{n} degrees",
    "tell_state": "{state}",
    "days": "{day}",
    "months": "{month}",
    "dates": "{month}",
    "belonging": "the {thing}",
    "owner": "the {thing}",
    "recall_place": "the {thing}",
    "recall_favourite": "{person}",
    "device": "in the {room}",
    "setting": "to {state}",
}
"""Kind → how its value is named by itself."""
MEANT: Mapping[str, str] = {
    "days": "day",
    "months": "month",
    "belonging": "thing",
    "owner": "thing",
    "recall_place": "thing",
    "recall_favourite": "person",
    "device": "room",
    "setting": "state",
}
"""Kind that asks or orders → the slot that was meant otherwise."""
_DENIALS: Mapping[str, tuple[str, ...]] = {
    "tell_place": (
        "the {thing} is not in the {room}",
        "the {thing} isn't in the {room}",
        "it is not true that the {thing} is in the {room}",
        "no the {thing} was never in the {room}",
    ),
    "tell_boss": (
        "{person} does not work for {boss}",
        "{boss} is not the boss of {person}",
        "{person} gets no orders from {boss}",
        "it is not true that {person} works for {boss}",
    ),
    "tell_visit": (
        "{person} does not come on {day}",
        "{person} will not come on {day}",
        "we do not expect {person} on {day}",
        "the visit of {person} is not on {day}",
    ),
    "tell_state": (
        "the {device} in the {room} is not {state}",
        "the {device} in the {room} isn't {state}",
        "it is not true that the {device} in the {room} is {state}",
        "the {device} in the {room} was never {state}",
    ),
}


def of_fact(random: Random, side: Side, kind: Kind, old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """`old` was told last; it should have been `new`."""
    phrase = _PHRASES[kind.name]
    wording = random.choice(halves("repair fact", _FACT)[side])
    fact = random.choice(kind.wordings_of(side)).format(**new)
    return wording.format(value=phrase.format(**new), old=phrase.format(**old), fact=fact)


def of_question(random: Random, side: Side, kind: Kind, meant: Mapping[str, str]) -> str:
    """A question of `kind` was asked last; it should have been about `meant`."""
    wording = random.choice(halves("repair question", _QUESTION)[side])
    question = random.choice(kind.wordings_of(side)).format(**meant)
    return wording.format(value=_PHRASES[kind.name].format(**meant), question=question)


def denials(side: Side, kind: Kind) -> tuple[str, ...]:
    return halves(f"denial {kind.name}", _DENIALS[kind.name])[side] if kind.name in _DENIALS else ()


def denial(random: Random, side: Side, kind: Kind, told: Mapping[str, str]) -> str:
    return random.choice(denials(side, kind)).format(**told)
