"""Conversations as rows of tokens. A step's batch follows from the seed and the step's number alone."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from random import Random
from threading import Thread
from typing import TYPE_CHECKING, Any

from experiments.reference.conversation import conversation
from experiments.reference.courses import Course
from experiments.reference.curriculum import ASSISTANT, Message
from experiments.reference.diet import Mix
from experiments.reference.split import seeded
from experiments.reference.tokenizer import DEFAULT_SYSTEM, END, START, STOP

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

STEP_TOKENS = 4096
ROW, LONG_ROWS = 256, (1024, 2048)
_AHEAD = 64
"""Batches drawn before they are needed."""
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

    def __init__(self, tokenizer: "PreTrainedTokenizerFast", course: Course, size: str, seed: int, steps: int) -> None:
        """`steps`: of the whole course, along which the mix moves."""
        self._tokenizer = tokenizer
        self._encode = tokenizer.backend_tokenizer.encode
        self._steps = steps
        self._course, self._size = course, size
        self._diet = course.diets[size]
        self._seed = seed
        vocabulary = tokenizer.get_vocab()
        self._pad = vocabulary[END]
        self._system = self._ids(Message("system", DEFAULT_SYSTEM))

    def batches(self, steps: Iterable[int], processes: int = 0) -> Iterator[Batch]:
        """The batches of `steps`, in their order; drawn a little ahead by so many processes, or by none."""
        if not processes:
            yield from map(self.batch, steps)
            return
        made_there = (self._tokenizer, self._course, self._size, self._seed, self._steps)
        with ProcessPoolExecutor(processes, get_context("spawn"), _begin_to_pack, made_there) as pool:
            waiting: deque[Future[Batch]] = deque()
            for step in steps:
                waiting.append(pool.submit(_pack, step))
                if len(waiting) > _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def batch(self, step: int) -> Batch:
        random = seeded(f"{self._diet.name}/{self._seed}/{step}")
        progress = step / self._steps
        length, wanted = row_length(step, self._course.long_every(progress)), self._course.mix(progress)
        rows = [self._row(random, wanted, length) for _ in range(STEP_TOKENS // length)]
        return Batch([ids for ids, _ in rows], [weights for _, weights in rows])

    def _row(self, random: Random, wanted: Mix, length: int) -> tuple[list[int], list[float]]:
        seen: dict[Message, list[int]] = {}

        def size(message: Message) -> int:
            seen[message] = self._ids(message)
            return len(seen[message])

        messages = conversation(random, self._diet, wanted, length - len(self._system), size)
        ids, weights = [], []
        if not messages or messages[0].role != "system":
            ids, weights = list(self._system), [PROMPT_WEIGHT] * len(self._system)
        for message in messages:
            ids += seen[message]
            weights += message_weights(message, len(seen[message]))
        rest = length - len(ids)
        return ids + [self._pad] * rest, weights + [0.0] * rest

    def _ids(self, message: Message) -> list[int]:
        return list(self._encode(one_message(message), add_special_tokens=False).ids)


_packer: Packer | None = None
"""In a process that draws ahead."""


def _begin_to_pack(tokenizer: "PreTrainedTokenizerFast", course: Course, size: str, seed: int, steps: int) -> None:
    global _packer  # noqa: PLW0603 - a pool hands its processes nothing else
    Thread(target=_end_with, args=(parent_process(),), daemon=True).start()
    _packer = Packer(tokenizer, course, size, seed, steps)


def _end_with(parent: Any) -> None:
    """A pool's processes would wait for ever for one that was killed."""
    parent.join()
    os._exit(1)


def _pack(step: int) -> Batch:
    assert _packer is not None
    return _packer.batch(step)


def row_length(step: int, every: int) -> int:
    """One step in `every` has long rows, and every other of these the longest."""
    if step % every != every - 1:
        return ROW
    return LONG_ROWS[step // every % len(LONG_ROWS)]


def message_weights(message: Message, tokens: int) -> list[float]:
    """1 from the first token after an assistant's opening (three tokens) to its stop mark; PROMPT_WEIGHT elsewhere."""
    if message.role != ASSISTANT:
        return [PROMPT_WEIGHT] * tokens
    return [*[PROMPT_WEIGHT] * 3, *[1.0] * (tokens - 4), PROMPT_WEIGHT]
