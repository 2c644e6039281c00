"""Teaching: what a model answers to many questions, and what it would say at each token of an answer.

It is work for when nobody waits: it can be left after every forward pass, none of which is larger than that of a chunk
of an ordinary prompt, and it neither reads nor changes what is kept of conversations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
import torch
from torch import Tensor

from nodes.model_worker import loading
from nodes.model_worker.batch import Batch
from nodes.model_worker.effort import Effort
from nodes.model_worker.errors import ModelMemory
from nodes.model_worker.levels import Level
from nodes.model_worker.loading import LoadedModel
from nodes.model_worker.memory import HEADROOM
from protocol.errors import BadRequest, ConfigError
from protocol.messages.model import ChatMessage, Exercise, Solution, Taught, Teach

MOST_EXERCISES = 256
"""In one request."""
SOLUTION_BYTES = 512 << 10
"""Of the distributions of one solution: it travels inline."""
_PLACE = "model/teach"
_ENTRY = 8
"""Bytes of one id and its log-probability."""


@dataclass(frozen=True)
class Row:
    """An exercise in the model's ids."""

    index: int
    prompt: list[int]
    answer: list[int]
    """Given; empty: the model is to answer."""
    limit: int
    """Tokens of the answer at most."""

    @property
    def ids(self) -> list[int]:
        """What is known before anything is computed, without the last token of an answer: nothing follows it."""
        return self.prompt + self.answer[:-1]

    @property
    def length(self) -> int:
        return len(self.prompt) + self.limit


@dataclass(frozen=True)
class Refused:
    """An exercise that cannot be done, and why."""

    index: int
    why: str


class Lecture:
    """A request while it is worked on, a forward pass at a time."""

    def __init__(self, model: LoadedModel, solving: Iterator[Solution | None], taught: Taught) -> None:
        self.model = model
        self.taught = taught
        self.over = False
        self._solving = solving

    def go_on(self, interrupted: Callable[[], str]) -> list[Solution]:
        """The next solution, or none once `interrupted` says why: it is looked at after every forward pass."""
        for solution in self._solving:
            if solution is not None:
                self.taught = msgspec.structs.replace(self.taught, solutions=self.taught.solutions + 1)
                return [solution]
            if interrupted():
                return []
        self.over = True
        return []

    def took(self, effort: Effort) -> None:
        """Count what some of it took."""
        taught = self.taught
        self.taught = msgspec.structs.replace(
            taught,
            seconds=taught.seconds + effort.seconds,
            cpu_s=taught.cpu_s + effort.cpu_s,
            joules=taught.joules + effort.joules,
            joules_source=effort.source or taught.joules_source,
        )


def check(request: Teach) -> None:
    """Raises BadRequest for what no model could do."""
    if not 0 < len(request.exercises) <= MOST_EXERCISES:
        raise BadRequest(f"{len(request.exercises)} exercises are not 1..{MOST_EXERCISES}", place=_PLACE)
    if min(request.top_k, request.max_new_tokens) < 0:
        raise BadRequest("top_k and max_new_tokens are 0 or more", place=_PLACE)
    for index, each in enumerate(request.exercises):
        place = f"{_PLACE}: exercises[{index}]"
        if bool(each.messages) == bool(each.ids):
            raise BadRequest("an exercise needs either messages or ids", place=place)
        if each.answer and each.answer_ids:
            raise BadRequest("an answer is given as text or as ids, not as both", place=place)
        if (each.answer or each.answer_ids) and not request.top_k:
            raise BadRequest("nothing is asked of an answer that is given", place=place, remedy="ask for its top_k")


def teach(model: LoadedModel, level: Level, request: Teach) -> Iterator[Solution | None]:
    """The solutions as they are found, and None after each forward pass: there it may be left and gone on with.

    Raises BadRequest, NoChatTemplate and ModelMemory.
    """
    check(request)
    rows: list[Row] = []
    for index, exercise in enumerate(request.exercises):
        row = _row(model, level, request, index, exercise)
        if isinstance(row, Row):
            rows.append(row)
        else:
            yield Solution(index=row.index, refused=row.why)
    k = min(request.top_k, model.vocab)
    for part in _parts([row for row in rows if row.answer], model, level):
        yield from _look(model, level, part, k)
    for part in _parts([row for row in rows if not row.answer], model, level):
        yield from _answer(model, level, part, k)


def end_of_turn(model: LoadedModel) -> int:
    """The id with which the model's template ends an answer. Raises ConfigError where there is none."""
    mark = "\ue000"
    turns = (("user", "a"), ("assistant", mark), ("user", "b"))
    text = model.tokenizer.render([ChatMessage(role=role, content=content) for role, content in turns])
    for token in model.tokenizer.encode(text.partition(mark)[2]).ids:
        if token in model.stop_ids:
            return token
    raise ConfigError(
        "the template ends an answer with no id that the model calls an end",
        place=str(model.folder),
        remedy="correct eos_token_id in the model's generation_config.json",
    )


def _row(model: LoadedModel, level: Level, request: Teach, index: int, exercise: Exercise) -> Row | Refused:
    prompt = list(exercise.ids) or model.tokenizer.encode(model.tokenizer.render(exercise.messages)).ids
    answer = list(exercise.answer_ids)
    if exercise.answer:
        answer = [*model.tokenizer.encode(exercise.answer).ids, end_of_turn(model)]
    if not all(0 <= token < model.vocab for token in (*prompt, *answer)):
        raise BadRequest(f"ids must lie in 0..{model.vocab - 1}", place=f"{_PLACE}: exercises[{index}]")
    room = model.context - len(prompt)
    limit = len(answer) or min(request.max_new_tokens or level.max_new_tokens, room)
    if not prompt or not 0 < limit <= room:
        tokens = len(prompt) + len(answer)
        return Refused(index, f"{tokens} tokens do not fit into {model.context}, question and answer together")
    if limit * request.top_k * _ENTRY > SOLUTION_BYTES:
        most = SOLUTION_BYTES // (request.top_k * _ENTRY)
        return Refused(index, f"{limit} tokens of an answer with {request.top_k} each are over the limit of {most}")
    return Row(index, prompt, answer, limit)


def _parts(rows: Sequence[Row], model: LoadedModel, level: Level) -> Iterator[list[Row]]:
    """Rows of like length, as many together as the level may hold attention state for; at least one."""
    part: list[Row] = []
    for row in sorted(rows, key=lambda row: (row.length, row.index)):
        if part and (len(part) + 1) * row.length * model.state.per_token > level.state:
            yield part
            part = []
        part.append(row)
    if part:
        yield part


def _look(model: LoadedModel, level: Level, rows: list[Row], k: int) -> Iterator[Solution | None]:
    """What the model would say at each token of the answers given."""
    batch = _begin(model, level, rows)
    first = batch.columns - max(len(row.answer) for row in rows)
    seen: list[tuple[Tensor, Tensor]] = []
    while batch.done < batch.columns:
        if (logits := batch.forward(_columns(level, rows), first)) is not None:
            seen.append(_top(logits, k))
        yield None
    ids, logprobs = (torch.cat(each, dim=1) for each in zip(*seen, strict=True))
    for place, row in enumerate(rows):
        yield _solution(model, row, row.answer, ids[place], logprobs[place])


def _answer(model: LoadedModel, level: Level, rows: list[Row], k: int) -> Iterator[Solution | None]:
    """The most likely token after every token, to the end of the answers."""
    batch = _begin(model, level, rows)
    stops = torch.tensor(sorted(model.stop_ids))
    limits = torch.tensor([row.limit for row in rows])
    lengths = torch.full_like(limits, -1)
    """Tokens of each answer; -1 while it goes on."""
    said: list[Tensor] = []
    seen: list[tuple[Tensor, Tensor]] = []
    while bool((lengths < 0).any()):
        logits = batch.forward(_columns(level, rows), batch.columns - 1)
        if logits is not None:
            chosen = logits[:, -1].argmax(-1)
            said.append(chosen.cpu())
            seen.append(_top(logits, k))
            ends = (lengths < 0) & (torch.isin(said[-1], stops) | (limits <= len(said)))
            lengths[ends] = len(said)
            batch.append(chosen)
        yield None
    answers = torch.stack(said, dim=1).tolist()
    ids, logprobs = (torch.cat(each, dim=1) for each in zip(*seen, strict=True))
    for place, row in enumerate(rows):
        length = int(lengths[place])
        yield _solution(model, row, answers[place][:length], ids[place, :length], logprobs[place, :length])


def _begin(model: LoadedModel, level: Level, rows: Sequence[Row]) -> Batch:
    longest = max(row.length for row in rows)
    pass_tokens = len(rows) * _columns(level, rows)
    needed = len(rows) * longest * model.state.per_token + model.needs.workspace + 3 * pass_tokens * model.vocab * 4
    free = loading.free_bytes(model.device) - HEADROOM
    if needed > free:
        raise ModelMemory(
            f"{len(rows)} exercises of {longest} tokens need {needed >> 20} MiB, {max(0, free) >> 20} MiB are free",
            place=f"level {level.name}",
            remedy="lower `state` in the levels file, or end what else takes memory",
        )
    return Batch(model.model, [row.ids for row in rows])


def _columns(level: Level, rows: Sequence[Row]) -> int:
    """Of one forward pass: who waits for it waits no longer than for a chunk of an ordinary prompt."""
    return max(1, level.prefill_chunk // len(rows))


def _top(logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k likeliest ids (int32) and their log-probabilities (float32), [..., k] each."""
    with torch.inference_mode():
        top = logits.log_softmax(-1).topk(k, dim=-1)
        return top.indices.int().cpu(), top.values.cpu()


def _solution(model: LoadedModel, row: Row, answer: list[int], ids: Tensor, logprobs: Tensor) -> Solution:
    """`ids` and `logprobs` [tokens, k]: of more tokens than the answer has, the last ones count."""
    return Solution(
        index=row.index,
        prompt_ids=row.prompt,
        answer_ids=answer,
        text=model.tokenizer.decode(answer),
        finished=answer[-1] in model.stop_ids,
        top_k=ids.shape[-1],
        top_ids=ids[-len(answer) :].numpy().astype("<i4").tobytes(),
        top_logprobs=logprobs[-len(answer) :].numpy().astype("<f4").tobytes(),
    )
