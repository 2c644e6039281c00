"""Conversations packed into rows of tokens. A step's batch follows from the seed and the step's number alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from experiments.reference.curriculum import Message, conversation
from experiments.reference.diet import Diet, copying
from experiments.reference.split import seeded
from experiments.reference.tokenizer import DEFAULT_SYSTEM, END, START, STOP

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

STEP_TOKENS = 4096
ROW, LONG_ROW = 256, 1024
LONG_EVERY = 8
"""One step in so many has long rows, so that far positions are learned too."""
PROMPT_WEIGHT = 0.05
"""Loss weight of what the model does not say itself; its answers weigh 1."""
_TRIES = 3


@dataclass(frozen=True)
class Batch:
    """`ids` and `weights` are rows x length; `weights[i][j]` is that of predicting `ids[i][j]`."""

    ids: list[list[int]]
    weights: list[list[float]]


def chatml(messages: Sequence[Message]) -> str:
    """The conversation as the tokenizer's chat template writes it."""
    if messages[0].role != "system":
        messages = (Message("system", DEFAULT_SYSTEM), *messages)
    return "".join(f"{START}{message.role}\n{message.content}{STOP}\n" for message in messages)


class Packer:
    """Draws conversations and lays them into rows, each whole."""

    def __init__(self, tokenizer: "PreTrainedTokenizerFast", diet: Diet, seed: int) -> None:
        self._encode = tokenizer.backend_tokenizer.encode
        self._diet = diet
        self._seed = seed
        vocabulary = tokenizer.get_vocab()
        self._pad = vocabulary[END]
        self._opening = [vocabulary[token] for token in (START, "Ġassistant", "Ċ")]
        self._stop = vocabulary[STOP]

    def batch(self, step: int, progress: float) -> Batch:
        """The batch of `step`, drawn as the diet is at `progress` 0..1."""
        random = seeded(f"{self._diet.name}/{self._seed}/{step}")
        length = LONG_ROW if step % LONG_EVERY == LONG_EVERY - 1 else ROW
        rows = [self._row(random, copying(progress), length) for _ in range(STEP_TOKENS // length)]
        return Batch([ids for ids, _ in rows], [weights for _, weights in rows])

    def _row(self, random: Random, copied: float, length: int) -> tuple[list[int], list[float]]:
        ids: list[int] = []
        misses = 0
        while misses < _TRIES:
            room = min(length - len(ids), ROW)
            drawn = self._encode(chatml(conversation(random, self._diet, copied, room)), add_special_tokens=False).ids
            if len(drawn) <= length - len(ids):
                ids += drawn
            else:
                misses += 1
        weights = self._weights(ids) + [0.0] * (length - len(ids))
        return ids + [self._pad] * (length - len(ids)), weights

    def _weights(self, ids: list[int]) -> list[float]:
        """1 from the first token after an assistant's opening to its stop mark; PROMPT_WEIGHT elsewhere."""
        weights = [PROMPT_WEIGHT] * len(ids)
        for position, token in enumerate(ids):
            if token == self._opening[0] and ids[position : position + 3] == self._opening:
                answer = position + 3
                end = ids.index(self._stop, answer)
                weights[answer : end + 1] = [1.0] * (end + 1 - answer)
        return weights
