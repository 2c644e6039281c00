import pytest
import torch

from nodes.model_worker.kv.exactness import Exactness
from nodes.model_worker.kv.layer import STEP
from nodes.model_worker.kv.sessions import Sessions
from nodes.model_worker.kv.state import AttentionState

PER_TOKEN = 2 * 2 * 1 * 4 * 4  # two layers, keys and values, one head of four float32
SIZE = 4
DESK = STEP * PER_TOKEN


@torch.inference_mode()
def fill(state: AttentionState, ids: list[int]) -> None:
    """What a forward pass over `ids` does: each token's keys and values tell which it is."""
    data = torch.tensor(ids, dtype=torch.float32)[None, None, :, None].expand(1, 1, -1, 4)
    for index in range(2):
        state.cache.update(data, data, index)
    state.computed(ids)


def sessions(budget: int = 1 << 20) -> Sessions:
    return Sessions(layers=2, budget=budget, bytes_per_token=PER_TOKEN, size=SIZE)


def use(kept: Sessions, name: str, ids: list[int], wanted: Exactness = Exactness.CONTINUOUS) -> int:
    """Ask for `ids` in a session, chunk by chunk; how many of them it found computed."""
    with kept.use(name) as session:
        reused = kept.lay(session, ids, wanted).reused
        kept.make_room(len(ids))
        for start in range(reused, len(ids)):
            if start % SIZE == 0 or start == reused:
                fill(kept.state, ids[start : min(len(ids), start - start % SIZE + SIZE)])
        assert kept.state.ids == ids
        for layer in kept.state.layers:
            assert layer.keys[0, 0, :, 0].tolist() == layer.values[0, 0, :, 1].tolist() == ids
    return reused


def test_a_session_goes_on_where_it_was() -> None:
    kept = sessions()
    assert [use(kept, "a", list(range(n))) for n in (3, 6, 14)] == [0, 3, 6]
    assert (kept.counts.hits, kept.counts.misses) == (2, 1)


def test_sessions_share_their_beginning_and_fork_from_it() -> None:
    kept = sessions()
    assert use(kept, "a", [*range(10), 50, 51]) == 0
    assert use(kept, "b", [*range(10), 60, 61]) == 10
    assert use(kept, "a", [*range(10), 50, 51, 52]) == 12
    assert use(kept, "b", [*range(10), 60, 61, 62]) == 12
    assert len(list(kept._tree.chunks())) == 2 + 2 * 2, "two chunks are shared, each has two of its own"


def test_branches_of_one_session_alternate_without_computing_again() -> None:
    kept = sessions()
    left, right = [*range(10), 50], [*range(10), 60]
    use(kept, "a", left)
    assert use(kept, "a", right) == 10
    assert use(kept, "a", [*left, 51]) == 11
    assert use(kept, "a", [*right, 61]) == 11


def test_the_nameless_session_keeps_nothing_but_may_share() -> None:
    kept = sessions()
    assert [use(kept, "", [1, 2, 3]), use(kept, "", [1, 2, 3]), len(kept)] == [0, 0, 0]
    use(kept, "a", list(range(9)))
    assert use(kept, "", list(range(12))) == 9
    assert use(kept, "a", list(range(12))) == 9


def test_a_session_nothing_was_computed_for_is_not_kept() -> None:
    kept = sessions()
    with kept.use("a"):
        pass
    assert len(kept) == 0


def test_cold_takes_whole_cold_chunks_only() -> None:
    kept = sessions()
    use(kept, "a", list(range(10)))
    assert use(kept, "a", list(range(12)), Exactness.COLD) == 8
    with kept.use("b") as session:
        kept.lay(session, [70])
        for token in range(70, 80):
            fill(kept.state, [token])  # as decoding does
    assert use(kept, "b", [*range(70, 80), 1], Exactness.COLD) == 0
    assert use(kept, "b", [*range(70, 80), 2], Exactness.COLD) == 8


def test_what_rests_on_a_chunk_that_is_not_cold_is_not_cold() -> None:
    kept = sessions()
    use(kept, "a", [0, 1])
    use(kept, "a", list(range(12)))
    assert [chunk.exactness for chunk in kept._kept["a"].end.line()] == [Exactness.CONTINUOUS] * 3


def test_a_conversation_that_wants_to_be_cold_is_unsettled_until_it_is() -> None:
    kept = sessions()
    use(kept, "a", [0, 1])
    use(kept, "a", list(range(6)))
    assert kept.unsettled() is None
    use(kept, "a", list(range(7)), Exactness.COLD)
    assert kept.unsettled() is None
    with kept.use("a") as session:
        kept.lay(session, list(range(7)), Exactness.COLD)
        for token in range(4, 9):
            fill(kept.state, [token])
    assert kept.unsettled() == "a"


def test_over_budget_what_was_used_longest_ago_gives_way() -> None:
    now = 0.0
    kept = Sessions(layers=2, budget=2 * DESK, bytes_per_token=PER_TOKEN, size=SIZE, seconds=lambda: now)
    for now, (name, first) in enumerate((("a", 0), ("b", 1000), ("a", 0), ("c", 2000))):  # noqa: B007 - the clock
        use(kept, name, list(range(first, first + 48)))
    assert kept.nbytes <= 2 * DESK
    assert kept.counts.evicted > 0
    assert use(kept, "c", list(range(2000, 2049))) == 48
    assert use(kept, "b", list(range(1000, 1049))) < 48


def test_a_beginning_goes_after_what_rests_on_it() -> None:
    kept = sessions(budget=DESK)
    use(kept, "a", list(range(60)))
    use(kept, "b", list(range(1000, 1030)))
    assert 0 < use(kept, "a", list(range(61))) < 60


def test_one_conversation_beyond_the_budget_is_answered_and_counted() -> None:
    kept = sessions(budget=DESK)
    assert use(kept, "big", list(range(3 * STEP))) == 0
    assert kept.counts.oversized == 1
    assert kept.nbytes <= DESK
    assert 0 < use(kept, "big", list(range(3 * STEP + 1))) < 3 * STEP


def fail_between_layers(kept: Sessions, name: str) -> None:
    with kept.use(name) as session:
        kept.lay(session, [0, 1, 2, 3, 4])
        with torch.inference_mode():
            kept.state.cache.update(torch.zeros(1, 1, 1, 4), torch.zeros(1, 1, 1, 4), 0)
        raise RuntimeError("between layers")


def test_a_half_written_state_is_not_kept_and_what_was_before_it_is() -> None:
    kept = sessions()
    use(kept, "a", [0, 1, 2, 3])
    with pytest.raises(RuntimeError, match="between layers"):
        fail_between_layers(kept, "a")
    assert kept.counts.broken == 1
    assert use(kept, "a", [0, 1, 2, 3, 4]) == 4


def test_a_failure_elsewhere_keeps_the_session() -> None:
    kept = sessions()
    use(kept, "a", [0, 1, 2, 3])
    with pytest.raises(ValueError, match="elsewhere"), kept.use("a"):
        raise ValueError("elsewhere")
    assert use(kept, "a", [0, 1, 2, 3, 4]) == 4


def test_a_failure_in_another_session_does_not_give_it_what_lies_on_the_desk() -> None:
    kept = sessions()
    use(kept, "a", [0, 1, 2, 3])
    with pytest.raises(ValueError, match="elsewhere"), kept.use("b"):
        raise ValueError("elsewhere")
    assert "b" not in kept._kept


def test_a_state_cannot_be_cut_longer_than_it_is() -> None:
    state = AttentionState(2, SIZE)
    fill(state, [0, 1, 2, 3])
    assert state.cold == 4
    state.truncate(3)
    assert (state.ids, state.cold) == ([0, 1, 2], 0)
    with pytest.raises(ValueError, match="cannot keep 4 of 3"):
        state.truncate(4)


def test_what_lies_in_the_processors_memory_goes_where_the_model_computes() -> None:
    data = torch.zeros(2, 2, 1, 3, 4)
    state = AttentionState(2, SIZE, "meta")
    state.append(data, [1, 2, 3], cold=False)
    assert {layer.keys.device.type for layer in state.layers} == {"meta"}
    kept = Sessions(layers=2, budget=1 << 20, bytes_per_token=PER_TOKEN, size=SIZE, device="meta")
    kept._tree.add(kept._tree.root, [1, 2, 3], Exactness.CONTINUOUS, data, 0.0)
    with kept.use("") as session:
        assert kept.lay(session, [1, 2, 3, 4]).reused == 3
        assert kept.state.layers[0].values.device.type == "meta"


def test_a_beginning_that_a_refused_request_laid_out_is_not_where_the_conversation_ends() -> None:
    kept = sessions()
    use(kept, "a", list(range(14)))
    with kept.use("a") as session:
        kept.lay(session, [*range(6), 77, 78])  # and nothing is computed
    assert use(kept, "a", list(range(15))) == 14
    with kept.use("a") as session:
        kept.lay(session, [*range(6), 77, 78])
        fill(kept.state, [77])
    assert kept._kept["a"].end.all_ids() == [*range(6), 77], "it went another way"


def test_a_failed_forward_pass_takes_nothing_from_others_that_share_the_beginning() -> None:
    kept = sessions(budget=2 * DESK)
    for name, own in (("a", 50), ("b", 60), ("c", 70)):
        use(kept, name, [*range(8), own, own + 1])
    with pytest.raises(RuntimeError, match="ran out"), kept.use("a") as session:  # noqa: PT012 - half of a pass
        kept.lay(session, [*range(8), 50, 51, 52])
        kept.make_room(2 * STEP - 4)
        assert kept._laid[0].data is None
        with torch.inference_mode():
            kept.state.layers[0].update(torch.zeros(1, 1, 1, 4), torch.zeros(1, 1, 1, 4))
        raise RuntimeError("memory ran out")
    assert (kept.counts.broken, kept.counts.lost) == (1, 0)
    assert use(kept, "b", [*range(8), 60, 61, 62]) == 10
    assert use(kept, "c", [*range(8), 70, 71, 72]) == 10


def test_ids_that_were_not_computed_are_not_believed() -> None:
    with pytest.raises(AssertionError, match=r"layers hold \[0\] tokens, 1 ids"):
        AttentionState(2, SIZE).computed([5])


def test_stats_tell_what_is_held_and_what_was_dropped() -> None:
    kept = sessions()
    use(kept, "a", [1, 2, 3, 4, 5])
    stats = kept.stats()
    assert (stats["sessions"], stats["chunks"]) == (1, 2)
    assert stats["bytes"] == DESK + 5 * PER_TOKEN
    assert {"hits", "misses", "evicted", "oversized", "broken", "answers_forgotten"} <= stats.keys()
    kept.clear()
    assert kept.nbytes == 0


def test_a_forgotten_session_is_computed_anew_and_others_keep_what_they_share() -> None:
    kept = sessions()
    use(kept, "a", [*range(10), 50, 51])
    use(kept, "b", [*range(10), 60, 61])
    assert kept.forget("b") == 4, "the chunk of its own; the two before it are also a's"
    assert use(kept, "a", [*range(10), 50, 51, 52]) == 12
    assert use(kept, "b", [*range(10), 60, 61, 62]) == 10, "what it shares with a; the rest is gone"
    kept.forget("a")
    kept.forget("b")
    assert not list(kept._tree.chunks())
    assert use(kept, "a", [*range(10), 50]) == 0
    assert (kept.forget("never"), kept.counts.sessions_dropped) == (0, 3)


def test_forgetting_one_session_loses_nothing_of_another_that_lies_on_the_desk_alone() -> None:
    kept = sessions()
    use(kept, "a", list(range(8)))
    kept.make_room(8)
    for chunk in kept._laid:
        chunk.data = None
    use(kept, "b", [*range(8), 9])
    kept.forget("b")
    assert use(kept, "a", [*range(8), 10]) == 8
    assert kept.counts.lost == 0
