"""Random conversations over several sessions: turns, edits, branches, regenerations, shortenings, repeats.

Whatever came before, every answer is the one a cold computation gives.
"""

from functools import cache
from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.model_worker.generation import forward, prefill
from nodes.model_worker.kv.sessions import Sessions
from tests.unit.model_worker import tiny

TOLERANCE = 1e-4
PER_TOKEN = 2 * 2 * 2 * 8 * 4
Action = tuple[str, str, int, list[int]]

ACTIONS = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from(["turn", "edit", "shorten", "repeat", "branch"]),
        st.integers(0, 60),
        st.lists(st.integers(3, 299), min_size=1, max_size=24),
    ),
    min_size=1,
    max_size=8,
)


@cache
def model() -> Any:
    return tiny.model()


def next_request(last: list[int], action: Action) -> list[int]:
    """What the session asks now, from what it asked last."""
    _, kind, at, new = action
    if kind == "turn" or not last:
        return last + new
    at %= len(last)
    if kind == "edit":
        return last[:at] + new[:1] + last[at + 1 :]
    if kind == "branch":
        return last[:at] + new
    return last[: at + 1] if kind == "shorten" else last


@settings(max_examples=40, deadline=None)
@given(actions=ACTIONS, budget=st.sampled_from([1 << 20, 2 * 128 * PER_TOKEN]))
def test_every_answer_is_the_cold_one(actions: list[Action], budget: int) -> None:
    sessions = Sessions(layers=2, budget=budget, bytes_per_token=PER_TOKEN, size=16)
    asked: dict[str, list[int]] = {}
    for action in actions:
        name = action[0]
        ids = asked[name] = next_request(asked.get(name, []), action)[:200]
        with sessions.use(name) as session:
            reused = sessions.lay(session, ids).reused
            sessions.make_room(len(ids) + 2)
            sessions.state.reserve(len(ids) + 2)
            logits = prefill(model(), sessions.state, ids[reused:], chunk=16, interrupted=lambda: "")
            assert logits is not None
            following = forward(model(), sessions.state, [int(logits.argmax())])
            computed = list(sessions.state.ids)
        cold = model()(input_ids=torch.tensor([computed]), use_cache=False).logits[0, -2:]
        torch.testing.assert_close(torch.stack([logits, following]), cold, atol=TOLERANCE, rtol=0)
        assert sessions.nbytes <= budget
