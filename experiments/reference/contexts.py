"""What state is tried on: conversations that go on, and questions about what was told, from the held-out split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from random import Random
from typing import Any

from experiments.reference.batches import chatml
from experiments.reference.conversation import Size, conversation
from experiments.reference.curriculum import ASIDES, USER, Message, answer_to, draw, exchange, telling_of
from experiments.reference.diet import DIETS, mix
from experiments.reference.lengths import FACTS, sizer
from experiments.reference.skills import SKILLS
from experiments.reference.split import Split, seeded
from experiments.reference.tokenizer import CONTEXT
from experiments.reference.verifiers import right
from experiments.reference.wording import Style, question
from nodes.model_worker.kv.state import AttentionState
from nodes.model_worker.loading import LoadedModel
from nodes.model_worker.reading import forward_all

DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Where in the context the facts are told, 0 at its beginning."""
REST = 192
"""Tokens that a conversation goes on for."""
TAIL = 24
"""Tokens of a question that are computed on top of what was kept."""
LONGEST = 24
"""Tokens of an answer."""


@dataclass(frozen=True)
class Probe:
    """A conversation that was kept up to a point, and how it goes on."""

    told: list[int]
    rest: list[int]


@dataclass(frozen=True)
class Ask:
    """A question that the model answers rightly on its own state, and how."""

    told: list[int]
    rest: list[int]
    """Of the question, and of the answer but its last token."""
    said: list[int]
    """The answer's tokens."""
    depth: float


def conversations(tokenizer: Any, count: int, seed: int, split: Split = Split.HELD_OUT) -> Iterator[list[Message]]:
    """As long as the model can hold."""
    for number in range(count):
        random = seeded(f"codec/{split}/{seed}/{number}")
        yield conversation(
            random, DIETS["specialized"], replace(mix(1.0), copying=0.0), CONTEXT - 16, sizer(tokenizer), split
        )


def ids_of(tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    found: list[int] = tokenizer.encode(chatml(messages))
    return found


def probes(tokenizer: Any, length: int, count: int, seed: int) -> list[Probe]:
    """Conversations kept up to `length` tokens, or so many that some are left."""
    found = []
    for messages in conversations(tokenizer, count, seed):
        ids = ids_of(tokenizer, messages)
        told = min(length, len(ids) - REST)
        found.append(Probe(ids[:told], ids[told : told + REST]))
    return found


def asks(loaded: LoadedModel, tokenizer: Any, length: int, each: int, seed: int) -> list[Ask]:
    """`each` questions at every depth, without those that the model gets wrong by itself."""
    found = []
    for depth in DEPTHS:
        random = seeded(f"codec/asks/{length}/{depth}/{seed}")
        for _ in range(each):
            messages, wanted = _question(random, length, depth, sizer(tokenizer))
            if (ask := _asked(loaded, tokenizer, messages, wanted, depth)) is not None:
                found.append(ask)
    return found


def _question(random: Random, length: int, depth: float, size: Size) -> tuple[list[Message], str]:
    """Asides, facts, asides, and a question about one of the facts; the answer."""
    skill, style = SKILLS["recall_place"], random.choice(tuple(Style))
    template, problem = draw(random, skill, FACTS, Split.HELD_OUT)
    asked = Message(USER, question(random, template, problem.slots, style))
    telling = telling_of(random, problem.facts, style)
    asides: list[list[Message]] = []
    room = length - sum(map(size, [*telling, asked]))
    while True:
        aside = exchange(random, SKILLS[random.choice(ASIDES)], 1, Split.HELD_OUT, style)
        room -= sum(map(size, aside))
        if room < 0:
            break
        asides.append(aside)
    before = round(depth * len(asides))
    messages = [
        *(message for aside in asides[:before] for message in aside),
        *telling,
        *(message for aside in asides[before:] for message in aside),
        asked,
    ]
    return messages, answer_to(skill, problem)


def _asked(loaded: LoadedModel, tokenizer: Any, messages: Sequence[Message], wanted: str, depth: float) -> Ask | None:
    chat = [asdict(message) for message in messages]
    ids: list[int] = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)
    state = AttentionState(loaded.state.layers, len(ids), loaded.device)
    logits = forward_all(loaded, state, ids)
    said = [int(logits[-1].argmax())]
    while said[-1] not in loaded.stop_ids and len(said) < LONGEST:
        said.append(int(forward_all(loaded, state, said[-1:])[-1].argmax()))
    if not right(SKILLS["recall_place"], loaded.tokenizer.decode(said), wanted):
        return None
    told = len(ids) - TAIL
    return Ask(ids[:told], [*ids[told:], *said[:-1]], said, depth)
