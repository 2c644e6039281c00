"""What to ask next, and whether a refinement has come to rest. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from nodes.dialogue.irp.state import IRPState, Reply, Task

CONVERGED, STABLE, OSCILLATING = "converged", "stable", "oscillating"
STEADY = 0.02
"""Change of energy under which a repeated answer has come to rest."""


@dataclass(frozen=True)
class Move:
    """Whom to ask, and what."""

    level: str
    text: str
    retry: bool = False


def next_move(task: Task, levels: Sequence[str], replies: Sequence[Reply], failed: Mapping[str, str]) -> Move | None:
    """The next larger level that was not asked; where there is none, the largest that answered, its doubt pointed out.

    `levels` from least to most capable. None: nobody is left who could answer.
    """
    asked = {reply.level for reply in replies} | set(failed)
    if not replies and not failed:
        return Move(task.level, task.question)
    reached = max((levels.index(level) for level in asked if level in levels), default=-1)
    larger = [level for level in levels[reached + 1 :] if level not in asked]
    if larger:
        return Move(larger[0], task.question)
    if not replies:
        smaller = [level for level in levels if level not in asked]
        return Move(smaller[-1], task.question) if smaller else None
    last = replies[-1]
    return Move(last.level, _doubted(task, replies), retry=True)


def left_above(levels: Sequence[str], replies: Sequence[Reply], failed: Mapping[str, str]) -> int:
    """How many levels above the largest asked have not been."""
    asked = {reply.level for reply in replies} | set(failed)
    reached = max((levels.index(level) for level in asked if level in levels), default=-1)
    return len(levels) - 1 - reached


def standing(history: Sequence[IRPState]) -> str:
    """How a refinement stands; empty: it goes on.

    `converged`: the energy reached its target, with as many answers as there have to be. `stable`: the same answer
    came again, as sure as before, and no larger level is left to ask. `oscillating`: two answers alternate, twice each.
    """
    if not history:
        return ""
    last = history[-1]
    replies = last.replies
    if len(replies) >= last.task.least and last.energy_val <= last.task.target:
        return CONVERGED
    keys = [reply.key for reply in replies]
    if len(keys) >= 4 and keys[-1] == keys[-3] != keys[-2] == keys[-4]:
        return OSCILLATING
    answered = [state for state in history if state.replies]
    steady = len(answered) >= 2 and abs(answered[-1].energy_val - answered[-2].energy_val) < STEADY
    if steady and len(keys) >= 2 and keys[-1] == keys[-2] and not last.meta.get("left_above", 0):
        return STABLE
    return ""


def oscillations(history: Sequence[IRPState]) -> int:
    """How often an answer came back after another had replaced it."""
    keys = [reply.key for reply in history[-1].replies] if history else []
    return sum(keys[at] == keys[at - 2] != keys[at - 1] for at in range(2, len(keys)))


def trust_metrics(history: Sequence[IRPState]) -> dict[str, float | str]:
    """What a host may learn from a refinement.

    convergence_rate: mean share of its energy that an iteration after the first removed (negative: it rose).
    monotonicity: share of these iterations on which the energy did not rise; 1.0 where there was only one.
    """
    energies = [state.energy_val for state in history if state.replies]
    steps = list(pairwise(energies))
    falls = [(before - after) / before for before, after in steps if before > 0]
    return {
        "iterations": len(energies),
        "final_energy": energies[-1] if energies else 1.0,
        "convergence_rate": sum(falls) / len(falls) if falls else 0.0,
        "monotonicity": sum(after <= before for before, after in steps) / len(steps) if steps else 1.0,
        "oscillations": oscillations(history),
        "ended": str(history[-1].meta.get("ended", "")) if history else "",
    }


def _doubted(task: Task, replies: Sequence[Reply]) -> str:
    last = replies[-1]
    other = next((reply for reply in reversed(replies) if reply.key != last.key), None)
    doubt = (
        f"You said {last.text!r}, but {other.text!r} was said too."
        if other is not None
        else f"You said {last.text!r} without being sure."
    )
    return task.doubt.format(doubt=doubt, question=task.question, answer=last.text)
