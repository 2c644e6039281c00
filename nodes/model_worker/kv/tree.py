"""Chunks of attention state in a radix tree over token ids: conversations that begin alike share their beginning.

A chunk is the state of up to SIZE tokens on an absolute boundary, resting on the chunk before it. A line of chunks from
the root is a conversation; a fork is one more child, whatever its length. Here is no torch: what a chunk holds is
anything that has a size.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nodes.model_worker.kv.exactness import Exactness
from nodes.model_worker.kv.history import common_prefix
from nodes.model_worker.kv.worth import UNSCORED


class Chunk:
    """`data` is None while its bytes lie on the disk only, under `address`."""

    __slots__ = (
        "address",
        "children",
        "data",
        "ends",
        "exactness",
        "hits",
        "ids",
        "name",
        "parent",
        "pins",
        "salience",
        "used",
    )

    def __init__(self, parent: "Chunk | None", ids: tuple[int, ...], exactness: Exactness) -> None:
        self.parent = parent
        self.ids = ids
        self.exactness: Exactness = exactness if parent is None else min(exactness, parent.exactness)
        self.data: Any = None
        self.address = ""
        self.name = b""
        """Keyed hash of all ids up to its end, once somebody needed it."""
        self.children: list[Chunk] = []
        self.ends = 0
        """Sessions whose conversation ends here."""
        self.pins = 0
        """Pieces of work that need it now."""
        self.used = 0.0
        """When last, in seconds of the caller's clock."""
        self.hits = 0
        self.salience = UNSCORED

    @property
    def nbytes(self) -> int:
        return int(self.data.nbytes) if self.data is not None else 0

    def line(self) -> "list[Chunk]":
        """From the first chunk of the conversation to this one."""
        found: list[Chunk] = []
        chunk = self
        while chunk.parent is not None:
            found.append(chunk)
            chunk = chunk.parent
        return found[::-1]

    def all_ids(self) -> list[int]:
        return [token for chunk in self.line() for token in chunk.ids]

    def matters(self, salience: float) -> None:
        """Its conversation is worth so much now. The worth of what others rest on as well rises, and does not fall."""
        chunk, shared = self, self.ends > 1 or bool(self.children)
        while chunk.parent is not None:
            chunk.salience = max(salience, chunk.salience) if shared else salience
            chunk = chunk.parent
            shared = shared or chunk.ends > 0 or len(chunk.children) > 1


@dataclass(frozen=True)
class Found:
    """The longest beginning of a request that is held: `tokens` of them, the last chunk perhaps in part."""

    line: list[Chunk]
    tokens: int


Discover = Callable[[Chunk, tuple[int, ...]], Chunk | None]
"""A whole chunk after this one with these ids, from elsewhere."""


def _nowhere(_parent: Chunk, _ids: tuple[int, ...]) -> None:
    return None


class Tree:
    """`size`: tokens of a whole chunk."""

    def __init__(self, size: int, discover: Discover = _nowhere) -> None:
        self.size = size
        self.root = Chunk(None, (), Exactness.COLD)
        self._discover = discover

    def find(self, ids: Sequence[int], wanted: Exactness, own: Chunk | None = None) -> Found:
        """What of `ids` is held at the class `wanted` or above, short of their last token, which must be computed.

        Where several chunks hold the same tokens, those of the line that ends in `own` come first: their bits are the
        ones that its conversation was continued from. So does its last chunk, held to its end, before a longer one of
        others. At COLD only whole chunks count, and the longest comes first.
        """
        most = len(ids) - 1
        mine = set(own.line()) if own is not None else set()
        line: list[Chunk] = []
        tokens = 0
        parent = self.root
        while tokens < most:
            rest = tuple(ids[tokens : tokens + self.size])
            best = self._best(parent, rest, wanted, mine)
            common = common_prefix(best.ids, rest) if best else 0
            if common < len(rest) == self.size and not (best and self._own_end(best, rest, wanted, mine)):
                discovered = self._discover(parent, rest)
                if discovered is not None and discovered.exactness >= wanted:
                    best, common = discovered, self.size
            if best is None or common == 0:
                break
            line.append(best)
            tokens += common
            if common < self.size:
                break
            parent = best
        return self.within(line, min(tokens, most), wanted)

    def _best(self, parent: Chunk, rest: tuple[int, ...], wanted: Exactness, mine: set[Chunk]) -> Chunk | None:
        fitting = [child for child in parent.children if child.exactness >= wanted and child.ids[0] == rest[0]]
        return max(
            fitting,
            key=lambda child: (
                self._own_end(child, rest, wanted, mine),
                common_prefix(child.ids, rest),
                child in mine,
                child.exactness,
                child.used,
            ),
            default=None,
        )

    def _own_end(self, chunk: Chunk, rest: tuple[int, ...], wanted: Exactness, mine: set[Chunk]) -> bool:
        """Whether the conversation itself has come to the end of this chunk, and goes on from there."""
        return chunk in mine and wanted < Exactness.COLD and chunk.ids == rest[: len(chunk.ids)]

    def within(self, line: list[Chunk], tokens: int, wanted: Exactness) -> Found:
        """The first `tokens` of the line, or as many as the class `wanted` allows."""
        if wanted is Exactness.COLD:
            tokens -= tokens % self.size
        return Found(line[: -(-tokens // self.size)], tokens)

    def add(self, parent: Chunk, ids: Sequence[int], exactness: Exactness, data: Any, now: float) -> Chunk:
        """A new child of `parent`; where the same cold chunk is there already, that one: its bits are the same."""
        chunk = Chunk(parent, tuple(ids), exactness)
        if chunk.exactness is Exactness.COLD:
            for child in parent.children:
                if child.exactness is Exactness.COLD and child.ids == chunk.ids:
                    child.data = data if child.data is None else child.data
                    child.used = now
                    return child
        chunk.data = data
        chunk.used = now
        parent.children.append(chunk)
        return chunk

    def attach(self, parent: Chunk, ids: Sequence[int], exactness: Exactness, address: str, now: float) -> Chunk:
        """A child whose bytes lie on the disk; the one that is there, if it has this address."""
        for child in parent.children:
            if child.address == address:
                return child
        chunk = Chunk(parent, tuple(ids), exactness)
        chunk.address = address
        chunk.used = now
        parent.children.append(chunk)
        return chunk

    def drop(self, chunk: Chunk) -> None:
        """Take it out, with all that rests on it."""
        if chunk.parent is not None and chunk in chunk.parent.children:
            chunk.parent.children.remove(chunk)

    def prune(self, chunk: Chunk) -> None:
        """Take out a chunk that nobody needs, and those before it that nobody needs any more.

        What lies on the disk as well is discovered there again.
        """
        while chunk.parent is not None and not (chunk.children or chunk.ends or chunk.pins or chunk.data is not None):
            parent = chunk.parent
            self.drop(chunk)
            chunk = parent

    def chunks(self) -> Iterator[Chunk]:
        waiting = list(self.root.children)
        while waiting:
            chunk = waiting.pop()
            waiting += chunk.children
            yield chunk
