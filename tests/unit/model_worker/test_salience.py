"""A conversation that matters stays longer than one that does not, when others need the room."""

from nodes.model_worker.kv.exactness import Exactness
from nodes.model_worker.kv.sessions import Sessions
from nodes.model_worker.kv.tree import Tree
from nodes.model_worker.kv.worth import FAINTEST, UNSCORED
from tests.unit.model_worker.test_sessions import DESK, sessions, use

FIRST, SECOND, THIRD = (list(range(start, start + 48)) for start in (0, 1000, 2000))


def after_a_third(salience: dict[str, float]) -> tuple[int, int]:
    """What is left of two conversations of like age once a third has taken the room of one."""
    kept = sessions(budget=2 * DESK)
    use(kept, "a", FIRST)
    use(kept, "b", SECOND)
    for name, value in salience.items():
        assert kept.matters(name, value)
    use(kept, "c", THIRD)
    return held(kept, "a"), held(kept, "b")


def held(kept: Sessions, name: str) -> int:
    return sum(len(chunk.ids) for chunk in kept._kept[name].end.line() if chunk.data is not None)


def test_the_one_that_matters_less_gives_way() -> None:
    dull_a = after_a_third({"a": 0.1, "b": 0.9})
    dull_b = after_a_third({"a": 0.9, "b": 0.1})
    assert dull_a[0] < dull_a[1]
    assert dull_b[0] > dull_b[1]


def test_what_nobody_scored_stands_in_the_middle() -> None:
    salient = after_a_third({"a": 0.9})
    dull = after_a_third({"a": 0.1})
    assert salient[0] > salient[1]
    assert dull[0] < dull[1]


def test_what_a_conversation_grows_by_matters_as_much() -> None:
    kept = sessions()
    use(kept, "a", FIRST)
    kept.matters("a", 0.8)
    use(kept, "a", [*FIRST, *SECOND])
    assert {chunk.salience for chunk in kept._kept["a"].end.line()} == {0.8}


def test_one_that_is_not_held_is_not_valued() -> None:
    assert not sessions().matters("never heard of", 0.9)


def test_nothing_is_worth_nothing() -> None:
    kept = sessions()
    use(kept, "a", FIRST)
    kept.matters("a", 0.0)
    assert kept._kept["a"].end.salience == FAINTEST


def test_what_two_conversations_share_is_worth_what_the_dearer_made_it() -> None:
    tree = Tree(4)
    stem = tree.add(tree.root, [1, 2, 3, 4], Exactness.COLD, None, 0.0)
    left = tree.add(stem, [5, 6], Exactness.COLD, None, 0.0)
    right = tree.add(stem, [7, 8], Exactness.COLD, None, 0.0)
    left.ends = right.ends = 1
    assert stem.salience == UNSCORED
    left.matters(0.9)
    right.matters(0.2)
    assert (stem.salience, left.salience, right.salience) == (0.9, 0.9, 0.2)
    left.matters(0.3)
    assert (stem.salience, left.salience) == (0.9, 0.3)
