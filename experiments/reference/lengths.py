"""How a model holds up as a conversation grows: the perplexity of answers, and recall of what was said at the start."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

from experiments.reference.batches import message_weights, one_message
from experiments.reference.conversation import Size, conversation
from experiments.reference.curriculum import ASIDES, USER, Message, Question, answer_to, draw, exchange, telling_of
from experiments.reference.diet import DIETS, mix
from experiments.reference.evaluate import ask, load
from experiments.reference.skills import SKILLS
from experiments.reference.split import Split, seeded
from experiments.reference.tokenizer import CONTEXT
from experiments.reference.verifiers import right
from experiments.reference.wording import Style, question

BIN = 256
LENGTHS = (256, 512, 1024, 1536, 2000)
FACTS = 8
_ANSWER_ROOM = 48


def over_length(folder: Path, count: int, seed: int, report: Callable[[str], None]) -> dict[str, Any]:
    """Perplexity from `count` / 10 conversations and recall from `count` questions at every length."""
    model, tokenizer = load(folder)
    found: dict[str, Any] = {"perplexity": perplexity(model, tokenizer, max(2, count // 10), seed), "recall": {}}
    report("perplexity")
    for length in LENGTHS:
        found["recall"][str(length)] = recall(model, tokenizer, length, count, seed)
        report(f"recall at {length}")
    return found


def perplexity(model: Any, tokenizer: Any, count: int, seed: int) -> dict[str, float]:
    """Of the tokens of right answers in held-out conversations of 2,048 tokens, by position: `256` is 256 to 511.

    Every size reads the same conversations, those of the largest one's diet.
    """
    import torch

    sums = [[0.0, 0] for _ in range(CONTEXT // BIN)]
    for messages in conversations(tokenizer, count, f"lengths/{seed}"):
        ids, weights = _laid_out(tokenizer, messages)
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([ids[:-1]]), use_cache=False).logits[0].float()
            losses = torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:]), reduction="none").tolist()
        for position, loss in enumerate(losses, start=1):
            if weights[position] == 1.0:
                sums[position // BIN][0] += loss
                sums[position // BIN][1] += 1
    return {str(n * BIN): round(math.exp(total / count), 4) for n, (total, count) in enumerate(sums) if count}


def conversations(tokenizer: Any, count: int, name: str, split: Split = Split.HELD_OUT) -> Iterator[list[Message]]:
    """As long as the models can hold, by the diet of the largest; drawn by `name`."""
    for number in range(count):
        random = seeded(f"{name}/{number}")
        yield conversation(
            random, DIETS["specialized"], replace(mix(1.0), copying=0.0), CONTEXT - 16, sizer(tokenizer), split
        )


def _laid_out(tokenizer: Any, messages: Sequence[Message]) -> tuple[list[int], list[float]]:
    ids: list[int] = []
    weights: list[float] = []
    for message in messages:
        its = tokenizer.encode(one_message(message))
        ids += its
        weights += message_weights(message, len(its))
    return ids, weights


def recall(model: Any, tokenizer: Any, length: int, count: int, seed: int) -> float:
    """The share of right answers about one of 8 facts that were told at the start of a prompt of `length` tokens."""
    asked = distant_questions(length, count, seed, sizer(tokenizer))
    answers = ask(model, tokenizer, asked)
    hits = [right(SKILLS[it.skill], answer.text, it.answer) for it, answer in zip(asked, answers, strict=True)]
    return round(sum(hits) / len(hits), 4)


def distant_questions(length: int, count: int, seed: int, size: Size) -> list[Question]:
    """Held-out questions about a place, each at the end of about `length` tokens, the facts at their beginning."""
    random = seeded(f"distant/{length}/{seed}")
    return [distant(random, length - _ANSWER_ROOM, size) for _ in range(count)]


def distant(random: Random, room: int, size: Size, depth: float = 0.0) -> Question:
    """One such question within `room` tokens; `depth`: 0..1, how far into the other talk the facts are told."""
    skill = SKILLS["recall_place"]
    style = random.choice(tuple(Style))
    template, problem = draw(random, skill, FACTS, Split.HELD_OUT)
    asked = Message(USER, question(random, template, problem.slots, style))
    telling = telling_of(random, problem.facts, style)
    room -= sum(map(size, [*telling, asked]))
    asides: list[list[Message]] = []
    while True:
        aside = exchange(random, SKILLS[random.choice(ASIDES)], 1, Split.HELD_OUT, style)
        room -= sum(map(size, aside))
        if room < 0:
            break
        asides.append(aside)
    before = round(depth * len(asides))
    talk = [*asides[:before], telling, *asides[before:]]
    return Question(
        skill.name,
        FACTS,
        template.id,
        skill.content_id(template, problem),
        (*chain.from_iterable(talk), asked),
        answer_to(skill, problem),
    )


def sizer(tokenizer: Any) -> Size:
    """Counts the tokens of a message as the chat template writes it."""
    return lambda message: len(tokenizer.encode(one_message(message)))
