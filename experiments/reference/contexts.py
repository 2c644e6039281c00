"""What state is tried on: conversations that go on, and questions about what was told, from the held-out split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from experiments.reference import lengths
from experiments.reference.batches import chatml
from experiments.reference.curriculum import Message, Question
from experiments.reference.skills import SKILLS
from experiments.reference.split import Split, seeded
from experiments.reference.verifiers import right
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
    return lengths.conversations(tokenizer, count, f"codec/{split}/{seed}", split)


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
            question = lengths.distant(random, length, lengths.sizer(tokenizer), depth)
            if (ask := _asked(loaded, tokenizer, question, depth)) is not None:
                found.append(ask)
    return found


def _asked(loaded: LoadedModel, tokenizer: Any, question: Question, depth: float) -> Ask | None:
    chat = [asdict(message) for message in question.messages]
    ids: list[int] = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)
    state = AttentionState(loaded.state.layers, len(ids), loaded.device)
    logits = forward_all(loaded, state, ids)
    said = [int(logits[-1].argmax())]
    while said[-1] not in loaded.stop_ids and len(said) < LONGEST:
        said.append(int(forward_all(loaded, state, said[-1:])[-1].argmax()))
    if not right(SKILLS[question.skill], loaded.tokenizer.decode(said), question.answer):
        return None
    told = len(ids) - TAIL
    return Ask(ids[:told], [*ids[told:], *said[:-1]], said, depth)
