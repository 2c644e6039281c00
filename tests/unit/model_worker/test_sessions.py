import pytest
import torch

from nodes.model_worker.kv.layer import STEP
from nodes.model_worker.kv.sessions import Sessions
from nodes.model_worker.kv.state import AttentionState

PER_TOKEN = 2 * 2 * 1 * 4 * 4  # two layers, keys and values, one head of four float32
ROOM = STEP * PER_TOKEN


def fill(state: AttentionState, tokens: int) -> None:
    """What a forward pass over `tokens` does."""
    for index in range(2):
        state.cache.update(torch.zeros(1, 1, tokens, 4), torch.zeros(1, 1, tokens, 4), index)
    state.computed(list(range(tokens)))


def sessions(budget: int) -> Sessions:
    return Sessions(layers=2, budget=budget, bytes_per_token=PER_TOKEN)


def use(kept: Sessions, name: str, tokens: int = 1) -> int:
    """Use a session; how many tokens it held before."""
    with kept.use(name) as session:
        held = len(session.state.ids)
        fill(session.state, tokens)
    return held


def test_a_session_is_found_again_and_others_are_their_own() -> None:
    kept = sessions(10 * ROOM)
    assert [use(kept, name, 3) for name in "aba"] == [0, 0, 3]
    assert (kept.counts.hits, kept.counts.misses) == (1, 2)


def test_the_nameless_session_is_always_new_and_never_kept() -> None:
    kept = sessions(10 * ROOM)
    assert [use(kept, ""), use(kept, ""), len(kept)] == [0, 0, 0]
    assert (kept.counts.hits, kept.counts.misses) == (0, 0)


def test_a_session_nothing_was_computed_for_is_not_kept() -> None:
    kept = sessions(10 * ROOM)
    with kept.use("a"):
        pass
    assert len(kept) == 0


def test_over_budget_the_least_recently_used_gives_way() -> None:
    kept = sessions(2 * ROOM)
    for name in "abac":
        use(kept, name)
    assert kept.nbytes <= 2 * ROOM
    assert kept.counts.evicted == 1
    assert use(kept, "a") == 2
    assert use(kept, "b") == 0


def test_room_is_made_before_a_session_grows() -> None:
    kept = sessions(3 * ROOM)
    for name in "abc":
        use(kept, name)
    with kept.use("c") as session:
        kept.make_room(2 * STEP)
        assert (len(kept), kept.counts.evicted) == (1, 1)
        fill(session.state, STEP)
    assert (len(kept), kept.nbytes) == (2, 3 * ROOM)


def test_a_state_larger_than_the_budget_is_not_kept_and_counted() -> None:
    kept = sessions(2 * ROOM)
    use(kept, "a")
    use(kept, "big", 3 * STEP)
    assert kept.counts.oversized == 1
    assert use(kept, "a") == 1


def fail_between_layers(kept: Sessions, name: str) -> None:
    with kept.use(name) as session:
        session.state.cache.update(torch.zeros(1, 1, 1, 4), torch.zeros(1, 1, 1, 4), 0)
        raise RuntimeError("between layers")


def test_a_half_written_state_is_not_kept_and_the_failure_goes_on() -> None:
    kept = sessions(10 * ROOM)
    use(kept, "a", 4)
    with pytest.raises(RuntimeError, match="between layers"):
        fail_between_layers(kept, "a")
    assert kept.counts.broken == 1
    assert use(kept, "a") == 0


def test_a_failure_that_left_the_state_whole_keeps_it() -> None:
    kept = sessions(10 * ROOM)
    use(kept, "a", 4)
    with pytest.raises(ValueError, match="elsewhere"), kept.use("a"):
        raise ValueError("elsewhere")
    assert use(kept, "a") == 4


def test_a_state_cannot_be_cut_longer_than_it_is() -> None:
    state = AttentionState(2)
    fill(state, 4)
    state.truncate(3)
    assert state.ids == [0, 1, 2]
    with pytest.raises(ValueError, match="cannot keep 4 of 3"):
        state.truncate(4)


def test_ids_that_were_not_computed_are_not_believed() -> None:
    with pytest.raises(AssertionError, match=r"layers hold \[0\] tokens, 1 ids"):
        AttentionState(2).computed([5])


def test_stats_tell_what_is_held_and_what_was_dropped() -> None:
    kept = sessions(10 * ROOM)
    use(kept, "a")
    stats = kept.stats()
    assert stats["sessions"] == 1
    assert stats["bytes"] == ROOM
    assert {"hits", "misses", "evicted", "oversized", "broken", "answers_forgotten"} <= stats.keys()
    kept.clear()
    assert kept.nbytes == 0
