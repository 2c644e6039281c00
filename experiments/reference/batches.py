"""Conversations as rows of tokens. A step's batch follows from the seed and the step's number alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from experiments.reference.conversation import conversation
from experiments.reference.curriculum import ASSISTANT, Message
from experiments.reference.diet import Diet, Mix, mix
from experiments.reference.split import seeded
from experiments.reference.tokenizer import DEFAULT_SYSTEM, END, START, STOP

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

STEP_TOKENS = 4096
ROW, LONG_ROWS = 256, (1024, 2048)
LONG_EVERY = 8
"""One step in so many has long rows, so that far positions are learned too."""
PROMPT_WEIGHT = 0.05
"""Loss weight of what the model does not say itself; its answers weigh 1."""


@dataclass(frozen=True)
class Batch:
    """`ids` and `weights` are rows x length; `weights[i][j]` is that of predicting `ids[i][j]`."""

    ids: list[list[int]]
    weights: list[list[float]]


def chatml(messages: Sequence[Message]) -> str:
    """The conversation as the tokenizer's chat template writes it."""
    if messages[0].role != "system":
        messages = (Message("system", DEFAULT_SYSTEM), *messages)
    return "".join(map(one_message, messages))


def one_message(message: Message) -> str:
    return f"{START}{message.role}\n{message.content}{STOP}\n"


class Packer:
    """Draws one conversation for every row."""

    def __init__(self, tokenizer: "PreTrainedTokenizerFast", diet: Diet, seed: int) -> None:
        self._encode = tokenizer.backend_tokenizer.encode
        self._diet = diet
        self._seed = seed
        vocabulary = tokenizer.get_vocab()
        self._pad = vocabulary[END]
        self._system = self._ids(Message("system", DEFAULT_SYSTEM))

    def batch(self, step: int, progress: float) -> Batch:
        """The batch of `step`, drawn as the diet is at `progress` 0..1."""
        random = seeded(f"{self._diet.name}/{self._seed}/{step}")
        length = row_length(step)
        rows = [self._row(random, mix(progress), length) for _ in range(STEP_TOKENS // length)]
        return Batch([ids for ids, _ in rows], [weights for _, weights in rows])

    def _row(self, random: Random, wanted: Mix, length: int) -> tuple[list[int], list[float]]:
        seen: dict[Message, list[int]] = {}

        def size(message: Message) -> int:
            seen[message] = self._ids(message)
            return len(seen[message])

        messages = conversation(random, self._diet, wanted, length - len(self._system), size)
        ids, weights = [], []
        if messages[0].role != "system":
            ids, weights = list(self._system), [PROMPT_WEIGHT] * len(self._system)
        for message in messages:
            ids += seen[message]
            weights += message_weights(message, len(seen[message]))
        rest = length - len(ids)
        return ids + [self._pad] * rest, weights + [0.0] * rest

    def _ids(self, message: Message) -> list[int]:
        return list(self._encode(one_message(message), add_special_tokens=False).ids)


def row_length(step: int) -> int:
    """Most steps have short rows; one in LONG_EVERY has long ones, and every other of these the longest."""
    if step % LONG_EVERY != LONG_EVERY - 1:
        return ROW
    return LONG_ROWS[step // LONG_EVERY % len(LONG_ROWS)]


def message_weights(message: Message, tokens: int) -> list[float]:
    """1 from the first token after an assistant's opening (three tokens) to its stop mark; PROMPT_WEIGHT elsewhere."""
    if message.role != ASSISTANT:
        return [PROMPT_WEIGHT] * tokens
    return [*[PROMPT_WEIGHT] * 3, *[1.0] * (tokens - 4), PROMPT_WEIGHT]
