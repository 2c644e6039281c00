from nodes.model_worker.kv.exactness import Exactness
from nodes.model_worker.kv.tree import Chunk, Tree

COLD, CONTINUOUS = Exactness.COLD, Exactness.CONTINUOUS
SIZE = 4


def grown(tree: Tree, ids: list[int], exactness: Exactness = COLD, data: object = None) -> Chunk:
    """A line of chunks that holds `ids`."""
    chunk = tree.root
    for start in range(0, len(ids), SIZE):
        chunk = tree.add(chunk, ids[start : start + SIZE], exactness, data, 0.0)
    return chunk


def found(tree: Tree, ids: list[int], wanted: Exactness = CONTINUOUS, own: Chunk | None = None) -> int:
    return tree.find(ids, wanted, own).tokens


def test_the_longest_beginning_is_found_short_of_the_last_token() -> None:
    tree = Tree(SIZE)
    grown(tree, [1, 2, 3, 4, 5, 6])
    assert found(tree, [1, 2, 3, 4, 5, 6, 7]) == 6
    assert found(tree, [1, 2, 3, 4, 5, 6]) == 5
    assert found(tree, [1, 2, 9]) == 2
    assert found(tree, [9]) == 0
    assert tree.find([1, 2, 3, 4, 9], CONTINUOUS).line == [tree.root.children[0]]


def test_cold_counts_whole_chunks_only_and_never_gets_less() -> None:
    tree = Tree(SIZE)
    grown(tree, [1, 2, 3, 4, 5, 6, 7, 8])
    grown(tree, [9, 9, 9, 9], CONTINUOUS)
    assert found(tree, [1, 2, 3, 4, 5, 6, 7, 0], COLD) == 4
    assert found(tree, [9, 9, 9, 9, 1], COLD) == 0
    assert found(tree, [9, 9, 9, 9, 1], CONTINUOUS) == 4


def test_what_rests_on_a_lower_chunk_is_no_higher() -> None:
    tree = Tree(SIZE)
    first = tree.add(tree.root, [1, 2, 3, 4], CONTINUOUS, None, 0.0)
    assert tree.add(first, [5, 6, 7, 8], COLD, None, 0.0).exactness is CONTINUOUS


def test_among_equal_tokens_the_own_line_comes_first() -> None:
    tree = Tree(SIZE)
    mine, other = (grown(tree, [1, 2, 3, 4], CONTINUOUS) for _ in range(2))
    assert mine is not other
    assert tree.find([1, 2, 3, 4, 5], CONTINUOUS, mine).line == [mine]
    assert tree.find([1, 2, 3, 4, 5], CONTINUOUS, other).line == [other]


def test_the_same_cold_chunk_is_there_once() -> None:
    tree = Tree(SIZE)
    assert grown(tree, [1, 2, 3, 4]) is grown(tree, [1, 2, 3, 4])
    assert len(list(tree.chunks())) == 1


def test_a_fork_shares_all_before_it() -> None:
    tree = Tree(SIZE)
    one, two = grown(tree, [1, 2, 3, 4, 5]), grown(tree, [1, 2, 3, 4, 6])
    assert one.parent is two.parent
    assert one.all_ids() == [1, 2, 3, 4, 5]


def test_pruning_ends_at_what_somebody_needs() -> None:
    tree = Tree(SIZE)
    end = grown(tree, [1, 2, 3, 4, 5, 6, 7, 8, 9])
    middle = end.parent
    assert middle is not None
    middle.ends = 1
    tree.prune(end)
    assert list(tree.chunks()) == [middle.parent, middle]
    middle.ends = 0
    tree.prune(middle)
    assert not list(tree.chunks())


def test_a_chunk_from_elsewhere_is_discovered_at_the_class_that_is_wanted() -> None:
    def discover(parent: Chunk, ids: tuple[int, ...]) -> Chunk | None:
        return tree.attach(parent, ids, CONTINUOUS, "there", 0.0) if ids == (1, 2, 3, 4) else None

    tree = Tree(SIZE, discover)
    assert found(tree, [1, 2, 3, 4, 5], COLD) == 0
    assert found(tree, [1, 2, 3, 4, 5], CONTINUOUS) == 4
    assert tree.root.children[0].address == "there"
    assert len(tree.root.children) == 1, "attached once, however often it is discovered"


def test_the_end_of_the_own_line_comes_before_a_longer_chunk_of_others() -> None:
    asked: list[tuple[int, ...]] = []
    tree = Tree(SIZE, lambda _parent, ids: asked.append(ids))
    own = grown(tree, [1, 2], CONTINUOUS)
    other = grown(tree, [1, 2, 3, 4])
    assert tree.find([1, 2, 3, 4, 5], CONTINUOUS, own).line == [own]
    assert asked == [], "nor is anybody asked for one"
    assert tree.find([1, 2, 3, 4, 5], CONTINUOUS).line == [other]
    assert tree.find([1, 2, 3, 4, 5], COLD, own).line == [other], "a part of a chunk is not cold"
    assert tree.find([1, 9, 3, 4, 5], CONTINUOUS, own).tokens == 1
