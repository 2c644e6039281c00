"""`HierarchicalCognitiveIRP`: refinement by a hierarchy of models, the energy being the surprise of their answers.

A step asks the next larger level; where there is none left, the largest again with its doubt pointed out. The energy of
a state is computed from the answers themselves, every time anew: it falls when levels agree and are sure, it rises when
they contradict each other, and nothing makes it fall just because time passes.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from nodes.dialogue.irp import course
from nodes.dialogue.irp import energy as surprise
from nodes.dialogue.irp.energy import WEIGHTS, Weights
from nodes.dialogue.irp.port import Port
from nodes.dialogue.irp.state import PLACE, IRPState, Reply, Task, task_of
from protocol.errors import BadRequest, Cancelled, DeadlineExceeded, SageError

CANCELLED, OUT_OF_TIME, OUT_OF_ITERATIONS, NOBODY_LEFT = "cancelled", "out of time", "out of iterations", "nobody left"


class HierarchicalCognitiveIRP:
    """One refinement at a time; `cancel` may be called from any thread. Keeps no thread and no connection."""

    def __init__(
        self,
        port: Port,
        *,
        weights: Weights = WEIGHTS,
        calibrate: Callable[[str, float], float] = lambda _level, confidence: confidence,
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`calibrate`: from a level and its confidence to the chance that it is right; by default that is believed."""
        self._port = port
        self._weights = weights
        self._calibrate = calibrate
        self._now = now
        self._wall = wall
        self._cancel = threading.Event()

    # What a host calls

    def init_state(self, x0: Any, task_ctx: Mapping[str, Any] | None = None) -> IRPState:
        """The state before the first answer. `task_ctx`: see `state.Task`. Raises BadRequest. Undoes `cancel`."""
        self._cancel.clear()
        task = task_of(x0, task_ctx)
        if task.level and task.level not in self._port.levels:
            raise BadRequest(f"no level {task.level!r}; there are {', '.join(self._port.levels)}", place=PLACE)
        return IRPState(
            x="",
            meta={
                "task": task,
                "replies": (),
                "failed": {},
                "asked": None,
                "ended": "",
                "left_above": len(self._port.levels),
                "name": uuid.uuid4().hex,
                "until": self._now() + task.deadline_s,
            },
            timestamp=self._wall(),
        )

    def step(self, state: IRPState) -> IRPState:
        """One more answer. Raises Cancelled and DeadlineExceeded; a level that fails otherwise is noted and left out.

        Where nobody is left who could answer, `ended` says so; if nobody ever did, the last failure is raised.
        """
        task, meta = state.task, dict(state.meta)
        move = course.next_move(task, self._port.levels, state.replies, meta["failed"])
        if move is None:
            raise meta["error"]
        self._check(meta["until"])
        try:
            reply = self._asked(task, move, meta)
        except (Cancelled, DeadlineExceeded):
            raise
        except SageError as error:
            meta["failed"] = {**meta["failed"], move.level: str(error)}
            meta["error"] = error
            meta["ended"] = NOBODY_LEFT if move.retry else ""
        else:
            meta["replies"] = (*state.replies, reply)
            meta["ended"] = ""
        meta["asked"] = move
        meta["left_above"] = course.left_above(self._port.levels, meta["replies"], meta["failed"])
        replies: tuple[Reply, ...] = meta["replies"]
        made = IRPState(
            x=replies[-1].text if replies else "", step_idx=state.step_idx + 1, meta=meta, timestamp=self._wall()
        )
        made = self.project(made)
        made.energy_val = self.energy(made)
        return made

    def energy(self, state: IRPState) -> float:
        """0..1, from the answer of this state and all that were given so far."""
        return surprise.energy(state.meta.get("source", state.x), state.replies, self._weights)

    def project(self, state: IRPState) -> IRPState:
        """The state with an answer that is allowed: one of `allowed` where there are such, no longer than `longest`.

        What is not allowed is replaced by the last answer that was, and noted in `projected`.
        """
        task = state.task
        source = text = " ".join(state.x.split())
        if not _fits(text, task):
            source = text = next((one.text for one in reversed(state.replies) if _fits(one.text, task)), "")
        if len(text) > task.longest:
            text = text[: task.longest + 1].rpartition(" ")[0] or text[: task.longest]
        meta = {**state.meta, "source": source, "projected": "" if text == state.x else state.x}
        return replace(state, x=text, meta=meta)

    def halt(self, history: Sequence[IRPState]) -> bool:
        """Whether it has come to rest. Two answers that alternate have not."""
        return course.standing(history) in (course.CONVERGED, course.STABLE)

    def refine(self, x0: Any, task_ctx: Mapping[str, Any] | None = None) -> tuple[IRPState, list[IRPState]]:
        """Refine until it rests, or cancelled, out of time or of iterations: `ended` says which.

        The state that is returned holds the answer of least energy given all that were made; `history` holds every
        iteration as it was. Raises a SageError only where there is no answer at all.
        """
        state = self.init_state(x0, task_ctx)
        history = [state]
        try:
            while not (ended := self._ended(history)):
                try:
                    state = self.step(state)
                except (Cancelled, DeadlineExceeded) as error:
                    if not state.replies:
                        raise
                    ended = CANCELLED if isinstance(error, Cancelled) else OUT_OF_TIME
                    break
                history.append(state)
        finally:
            self._forget(history)
        state.meta["ended"] = ended
        return self._settled(history), history

    def compute_trust_metrics(self, history: Sequence[IRPState]) -> dict[str, float | str]:
        """See `course.trust_metrics`."""
        return course.trust_metrics(history)

    def cancel(self) -> None:
        """End the refinement that is under way, soon. It keeps what it has."""
        self._cancel.set()

    # What that takes

    def _ended(self, history: Sequence[IRPState]) -> str:
        last = history[-1]
        if self.halt(history):
            return course.standing(history)
        if last.meta["ended"]:
            return str(last.meta["ended"])
        if last.step_idx < last.task.most:
            return ""
        if not last.replies:
            raise last.meta["error"]
        return course.standing(history) or OUT_OF_ITERATIONS

    def _asked(self, task: Task, move: course.Move, meta: dict[str, Any]) -> Reply:
        number = len(meta["replies"]) + len(meta["failed"])
        name = meta["conversation"] if move.retry else f"irp/{meta['name']}/{number}"
        reply = self._port.ask(
            move.text,
            conversation=name,
            before=task.before,
            level=move.level,
            within_s=max(0.001, meta["until"] - self._now()),
            cancelled=lambda: self._cancel.is_set() or task.cancelled(),
        )
        meta["conversation"] = name
        sure = min(1.0, max(0.0, self._calibrate(reply.level, reply.confidence)))
        verified = task.verify(reply.text) if task.verify else None
        return replace(reply, confidence=sure, retry=move.retry, verified=verified)

    def _check(self, until: float) -> None:
        if self._cancel.is_set():
            raise Cancelled("the refinement was cancelled", place="irp")
        if self._now() >= until:
            raise DeadlineExceeded("no time is left for another iteration", place="irp")

    def _settled(self, history: Sequence[IRPState]) -> IRPState:
        last = history[-1]
        allowed = [reply for reply in last.replies if _fits(reply.text, last.task)]
        text, value = surprise.best(allowed, self._weights) if len(allowed) == len(last.replies) else (last.x, 1.0)
        if value >= last.energy_val:
            return last
        return self.project(replace(last, x=text, energy_val=value, meta={**last.meta, "settled": True}))

    def _forget(self, history: Sequence[IRPState]) -> None:
        last = history[-1]
        count = len(last.meta["replies"]) + len(last.meta["failed"])
        try:
            self._port.forget([f"irp/{last.meta['name']}/{number}" for number in range(count + 1)])
        except SageError as error:  # what is kept there is bounded, and goes in time
            last.meta["unforgotten"] = str(error)


def _fits(text: str, task: Task) -> bool:
    return bool(text) and (not task.allowed or text in task.allowed)
