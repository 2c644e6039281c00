"""The training loop: batches in an order that the seed decides, AdamW, early stop. Imports torch.

First the lessons as they were given, until the development set says that it is enough; then, where that is wanted and
the teacher's distribution is understood, from the best weights so far, a second phase on the student's own answers
(on-policy distillation: Agarwal et al. 2024, GKD). What is rehearsed stays as it was in both.

Everything that decides the next step is in a checkpoint or follows from the seed and the step, so that training that
was stopped and gone on with ends in the same bits as training that was not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from nodes.dream_consolidator.distiller import checkpoints, lora
from nodes.dream_consolidator.distiller.chunks import answer_states, by_chunk, check_output_layer
from nodes.dream_consolidator.distiller.losses import Target, token_losses
from nodes.dream_consolidator.distiller.parallel import ALONE, Crew
from nodes.dream_consolidator.distiller.precision import learning, mixed
from nodes.dream_consolidator.distiller.rates import peak_rate, schedule
from nodes.dream_consolidator.distiller.targets import Batch, Item, collate
from nodes.dream_consolidator.settings import Train

_CLIP = 1.0


class State(msgspec.Struct, kw_only=True):
    """Where training stands, beside its tensors."""

    step: int = 0
    second: int | None = None
    """The step at which the second phase began."""
    best_step: int = 0
    best: tuple[float, float] | None = None
    """Of the best look: share right, minus loss. None before the first."""
    looks_without_progress: int = 0


@dataclass(frozen=True)
class Lessons:
    """Items with their targets; without targets the words alone are learned."""

    items: Sequence[Item]
    targets: Sequence[Target] | None

    def batch(self, indices: Sequence[int], device: Any) -> Batch:
        targets = None if self.targets is None else [self.targets[index] for index in indices]
        return collate([self.items[index] for index in indices], targets, device)

    def with_answers(self, own: Mapping[int, tuple[Item, Target]]) -> Lessons:
        """The same, some with the student's own answers."""
        if self.targets is None:
            return self
        pairs = [own.get(index, pair) for index, pair in enumerate(zip(self.items, self.targets, strict=True))]
        return Lessons([item for item, _ in pairs], [target for _, target in pairs])


class Trainer:
    """Trains a causal language model in place: `step` until it is `over`, then `keep_best`.

    Whenever `awaits_answers`, the caller gives the student's own answers with `learn_from`.
    """

    def __init__(
        self,
        model: Any,
        lessons: Lessons,
        development: Lessons,
        settings: Train,
        *,
        seed: int,
        crew: Crew = ALONE,
    ) -> None:
        check_output_layer(model, model.config.name_or_path)
        self.model = model
        self.state = State()
        self._lessons, self._development = lessons, development
        self._settings = settings
        self._seed = seed
        self._crew = crew
        self._low_rank = lora.attach(model, settings.rank, seed) if settings.method == "lora" else None
        if self._low_rank is None:
            model.requires_grad_(True)
        self._parameters = {name: each for name, each in model.named_parameters() if each.requires_grad}
        self._rate = peak_rate(model.config.get_text_config().hidden_size, settings)
        self._optimizer = self._new_optimizer()
        self._best = {name: parameter.detach().clone() for name, parameter in self._parameters.items()}
        self._own: Lessons | None = None
        self._per_epoch = math.ceil(len(lessons.items) / settings.batch)

    @property
    def trained(self) -> int:
        """Parameters that learn."""
        return sum(parameter.numel() for parameter in self._parameters.values())

    @property
    def steps(self) -> int:
        """Of both phases, if the phase that is under way is not ended early."""
        first = self._first if self.state.second is None else self.state.second
        return first + self._second_steps(first)

    @property
    def over(self) -> bool:
        return self.state.step >= self.steps or (self._enough and not self._second_is_due)

    @property
    def awaits_answers(self) -> bool:
        """Whether the next step learns from the student's own answers, and they are not here."""
        return self.state.second is not None and not self.over and self._own is None

    @property
    def round(self) -> int:
        """Number of the second phase's round: as many steps as lie between two looks share their answers."""
        assert self.state.second is not None
        return (self.state.step - self.state.second) // self._settings.evaluate

    def asked(self) -> list[int]:
        """Which lessons the student is to answer for this round: those of its steps that do not rehearse."""
        assert self.state.second is not None
        begin = self.state.second + self.round * self._settings.evaluate
        steps = range(begin, min(begin + self._settings.evaluate, self.steps))
        wanted = {index for step in steps for index in self._order(step)}
        return sorted(index for index in wanted if not self._lessons.items[index].rehearsal)

    def learn_from(self, own: Mapping[int, tuple[Item, Target]]) -> None:
        """Take these answers for the round in place of the lessons' own; a lesson without one stays as it is."""
        self._own = self._lessons.with_answers(own)

    def step(self) -> float:
        """One batch, and a look at the development set where one is due. The batch's loss in nats per token."""
        began = self.state.second or 0
        share = schedule(self._settings.schedule, self.state.step - began, self._phase_end - began)
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate * share
        loss = self.accumulate(self._order(self.state.step))
        nn.utils.clip_grad_norm_(self._parameters.values(), _CLIP)
        self._optimizer.step()
        self.state.step += 1
        if (self.state.step - began) % self._settings.evaluate == 0 or self.state.step == self._phase_end:
            self._own = None
            self._look()
        if self._second_is_due and self.state.second is None and self._first_is_over:
            self._begin_second()
        return loss

    def accumulate(self, indices: list[int]) -> float:
        """Leave in `grad` the gradient of the mean loss over these lessons, however many parts it takes; that loss."""
        lessons = self._own or self._lessons
        self._optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self.model.device)
        with learning(self.model, self._settings):
            for part in self._parts(lessons, self._crew.share_of(indices)):
                batch = lessons.batch(part, self.model.device)
                loss = (batch.weights * batch.means(self._losses(batch)[0])).sum() / len(indices)
                loss.backward()  # type: ignore[no-untyped-call]
                total += loss.detach()
        self._crew.add([total, *self._gradients()])
        return float(total)

    def keep_best(self) -> None:
        """Put the best weights of all looks into the model, and make it an ordinary one again. Training is over."""
        self._restore_best()
        self._optimizer.zero_grad(set_to_none=True)
        self._optimizer.state.clear()
        if self._low_rank is not None:
            lora.merge(self._low_rank)
        self.model.requires_grad_(False)

    def save(self, path: Path) -> None:
        """Write a checkpoint: the old one or the new one is there at any moment."""
        checkpoints.save(path, self._parameters, self._best, self._optimizer, msgspec.json.encode(self.state).decode())

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint, if the first process finds one."""
        state = ""
        if self._crew.first and path.exists():
            state = checkpoints.load(path, self._parameters, self._best, self._optimizer)
        if self._crew.size > 1:
            state = self._take_over(state)
        if state:
            self.state = msgspec.json.decode(state, type=State)

    def _take_over(self, state: str) -> str:
        """Bring all processes to where the first one is; its state in words."""
        if self._crew.first:
            self._crew.tell(state.encode() or b"{}")
        else:
            state = self._crew.listen().decode()
        checkpoints.begin(self._optimizer)
        moments = [value for each in self._optimizer.state.values() for value in each.values()]
        with torch.no_grad():
            self._crew.spread([*self._parameters.values(), *self._best.values(), *moments])
        return state

    @property
    def _phase_end(self) -> int:
        return self._first if self.state.second is None else self.steps

    @property
    def _first(self) -> int:
        """Steps of the first phase: whole epochs."""
        epochs = max(self._settings.epochs, math.ceil(self._settings.steps / self._per_epoch))
        return epochs * self._per_epoch

    @property
    def _enough(self) -> bool:
        return self.state.looks_without_progress >= self._settings.patience

    @property
    def _half_over(self) -> bool:
        """Before that nothing says that it is enough: what is new comes late, and what was known suffers first."""
        began = self.state.second or 0
        return self.state.step - began > (self._phase_end - began) / 2

    @property
    def _first_is_over(self) -> bool:
        return self._enough or self.state.step >= self._phase_end

    @property
    def _second_is_due(self) -> bool:
        return self.state.second is None and self._second_steps(self.state.step) > 0

    def _second_steps(self, first: int) -> int:
        return 0 if self._lessons.targets is None else round(self._settings.on_policy * first)

    def _begin_second(self) -> None:
        self._restore_best()
        self._optimizer = self._new_optimizer()
        self.state.second = self.state.step
        self.state.looks_without_progress = 0

    def _new_optimizer(self) -> torch.optim.AdamW:
        return torch.optim.AdamW(self._parameters.values(), lr=self._rate, betas=(0.9, 0.95), weight_decay=0)

    def _order(self, step: int) -> list[int]:
        """The lessons of a step: every epoch is a shuffle of its own."""
        epoch, place = divmod(step, self._per_epoch)
        order = list(range(len(self._lessons.items)))
        Random(f"{self._seed}/{epoch}").shuffle(order)
        return order[place * self._settings.batch : (place + 1) * self._settings.batch]

    def _parts(self, lessons: Lessons, indices: Sequence[int]) -> Iterator[list[int]]:
        """The lessons in parts of at most `at_once` tokens, like lengths together; a longer lesson is a part alone."""
        part: list[int] = []
        for index in sorted(indices, key=lambda index: (lessons.items[index].length, index)):
            if part and (len(part) + 1) * lessons.items[index].length > self._settings.at_once:
                yield part
                part = []
            part.append(index)
        if part:
            yield part

    def _losses(self, batch: Batch) -> tuple[Tensor, ...]:
        """Of each token [tokens]: the loss, and 1 where the likeliest word is the one that was answered."""
        settings = self._settings

        def compute(logits: Tensor, part: slice) -> tuple[Tensor, ...]:
            target = batch.target and Target(batch.target.ids[part], batch.target.logprobs[part])
            words = batch.words[part]
            losses = token_losses(
                logits,
                words,
                batch.verified[part],
                target,
                loss=settings.loss,
                beta=settings.beta,
                share=settings.cross_entropy,
            )
            return losses, (logits.argmax(-1) == words).float()

        return by_chunk(self.model, answer_states(self.model, batch.items), settings.chunk, compute)

    def _gradients(self) -> list[Tensor]:
        """Of all parameters; nought where no lesson of this process touched one."""
        for parameter in self._parameters.values():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        return [parameter.grad for parameter in self._parameters.values() if parameter.grad is not None]

    def _restore_best(self) -> None:
        with torch.no_grad():
            for name, parameter in self._parameters.items():
                parameter.copy_(self._best[name])

    def _look(self) -> None:
        score = self._development_score()
        if score is not None and self.state.best is not None and score <= self.state.best:
            self.state.looks_without_progress += self._half_over
            return
        self.state.looks_without_progress = 0
        self.state.best_step = self.state.step
        for name, parameter in self._parameters.items():
            self._best[name].copy_(parameter.detach())
        self.state.best = score

    @torch.no_grad()
    def _development_score(self) -> tuple[float, float] | None:
        """Share of lessons whose every token is the likeliest, and minus their mean loss.

        What is taught and what is rehearsed count the same. None where there is nothing to look at: then the last
        weights are the best.
        """
        items = self._development.items
        if not items:
            return None
        found = torch.zeros((len(items), 2), device=self.model.device)  # loss, and whether all of it was right
        with mixed(self.model, self._settings):
            for part in self._parts(self._development, self._crew.share_of(list(range(len(items))))):
                batch = self._development.batch(part, self.model.device)
                losses, hits = self._losses(batch)
                found[part] = torch.stack([batch.means(losses), (batch.means(hits) == 1).float()], dim=1)
        self._crew.add([found])
        right: dict[bool, list[float]] = {}
        for item, hit in zip(items, found[:, 1].tolist(), strict=True):
            right.setdefault(item.rehearsal, []).append(hit)
        share = sum(sum(hits) / len(hits) for hits in right.values()) / len(right)
        return share, -float(found[:, 0].mean())
