"""Random conversations over several sessions: turns, edits, branches, regenerations, shortenings, repeats, idle time.

Whatever came before, every answer is the one that a computation from nothing gives: at class cold to the last bit, at
class continuous within the noise of two such computations that differ only in their portions.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nodes.model_worker.generation import forward, prefill
from nodes.model_worker.kv.exactness import Exactness
from nodes.model_worker.kv.sessions import Sessions
from nodes.model_worker.kv.state import AttentionState
from tests.unit.model_worker import tiny

NOISE = 4e-6
"""Largest difference of a logit, of the order of 10, between two computations from nothing in other portions.

Computed in double precision and told in single, it is one rounding; one other token of the past makes a hundred times
as much."""
SIZE, LAYERS, LONGEST = 16, 2, 200
PER_TOKEN = 2 * 2 * 2 * 8 * 8
BUDGETS = (1 << 20, 2 * 128 * PER_TOKEN)
DECODED = 3
Action = tuple[str, str, int, list[int], Exactness]

ACTIONS = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from(["turn", "turn", "edit", "shorten", "repeat", "branch", "settle"]),
        st.integers(0, LONGEST),
        st.lists(st.integers(3, 299), min_size=1, max_size=24),
        st.sampled_from([Exactness.CONTINUOUS, Exactness.COLD]),
    ),
    min_size=1,
    max_size=10,
)


@cache
def model() -> Any:
    return tiny.model().double()


def computed(state: AttentionState, ids: list[int], held: int, chunk: int) -> list[Tensor]:
    """Logits after `ids`, of which `held` are in the state, and after each of a few tokens decoded greedily."""
    logits = prefill(model(), state, ids[held:], chunk=chunk, interrupted=lambda: "")
    assert logits is not None
    found = [logits]
    for _ in range(DECODED):
        found.append(forward(model(), state, [int(found[-1].argmax())]))
    return found


def from_nothing(ids: list[int], chunk: int) -> list[Tensor]:
    return computed(AttentionState(LAYERS, SIZE), ids, 0, chunk)


@dataclass
class Conversations:
    sessions: Sessions
    asked: dict[str, list[int]] = field(default_factory=dict)

    def do(self, action: Action) -> None:
        name, kind, at, new, wanted = action
        if kind == "settle":
            self._settle()
        else:
            self.asked[name] = self._ids(self.asked.get(name, []), kind, at, new)[:LONGEST]
            self._ask(name, self.asked[name], wanted)

    def _ids(self, last: list[int], kind: str, at: int, new: list[int]) -> list[int]:
        """What the session asks now, from what it asked last."""
        if kind == "turn" or not last:
            return last + new
        at %= len(last)
        if kind == "edit":
            return last[:at] + new[:1] + last[at + 1 :]
        if kind == "branch":
            return last[:at] + new
        return last[: at + 1] if kind == "shorten" else last

    def _ask(self, name: str, ids: list[int], wanted: Exactness) -> None:
        with self.sessions.use(name) as session:
            laid = self.sessions.lay(session, ids, wanted)
            assert laid.exactness >= wanted
            self.sessions.make_room(len(ids) + DECODED)
            answer = computed(self.sessions.state, ids, laid.reused, SIZE)
        cold = from_nothing(ids, SIZE)
        if wanted is Exactness.COLD:
            assert all(map(torch.equal, answer, cold))
        else:
            assert agree(answer, cold)

    def _settle(self) -> None:
        """As an engine does in idle time."""
        name = self.sessions.unsettled()
        if name is None:
            return
        with self.sessions.use(name) as session:
            laid = self.sessions.lay(session, [*session.ids, 0], Exactness.COLD)
            new = session.ids[laid.reused :]
            prefill(model(), self.sessions.state, new, chunk=SIZE, interrupted=lambda: "")


def agree(answer: list[Tensor], cold: list[Tensor]) -> bool:
    """Within the noise; another token counts only where the cold computation told the two apart by more than that."""
    for ours, theirs in zip(answer, cold, strict=True):
        if (ours - theirs).abs().max() > NOISE:
            return False
        first, second = theirs.topk(2).values
        if int(ours.argmax()) != int(theirs.argmax()):
            return bool(first - second <= 2 * NOISE)  # from here on they say different things
    return True


def converse(actions: list[Action], budget: int) -> None:
    conversations = Conversations(Sessions(layers=LAYERS, budget=budget, bytes_per_token=PER_TOKEN, size=SIZE))
    for action in actions:
        conversations.do(action)
        assert conversations.sessions.nbytes <= budget


@settings(max_examples=40, deadline=None)
@given(actions=ACTIONS, budget=st.sampled_from(BUDGETS))
def test_every_answer_is_the_one_from_nothing(actions: list[Action], budget: int) -> None:
    converse(actions, budget)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@given(actions=ACTIONS, budget=st.sampled_from(BUDGETS))
def test_every_answer_of_a_thousand_conversations_is_the_one_from_nothing(actions: list[Action], budget: int) -> None:
    converse(actions, budget)


@settings(max_examples=40, deadline=None)
@given(ids=st.lists(st.integers(3, 299), min_size=1, max_size=LONGEST))
def test_two_computations_from_nothing_differ_by_no_more_than_the_noise(ids: list[int]) -> None:
    whole, parts = from_nothing(ids, len(ids)), from_nothing(ids, SIZE)
    assert float((whole[0] - parts[0]).abs().max()) <= NOISE
