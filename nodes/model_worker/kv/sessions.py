"""The attention states of all conversations of one model: what a request finds of them, and what stays of its work.

The model works on one state at a time, the desk: blocks of memory that grow in place. What conversations were computed
to lies beside it in chunks, which they share where they begin alike. A request is laid out on the desk from its longest
beginning that is held; a conversation that simply goes on finds the desk as it left it. Afterwards the new tokens are
copied off into chunks. A chunk never changes.
"""

import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from nodes.model_worker.kv.answers import Answers
from nodes.model_worker.kv.exactness import Exactness
from nodes.model_worker.kv.history import Divergence, match
from nodes.model_worker.kv.state import AttentionState
from nodes.model_worker.kv.tree import Chunk, Found, Tree
from nodes.model_worker.kv.worth import FAINTEST, Costs, worth

MOST = 1000
"""Conversations remembered by name; past it the least recently used is forgotten, counted."""


Admit = Callable[[int], int]
"""Given how many tokens of a request are in memory: the most that may be laid out for it. Raises to refuse it."""


def _anything(_held: int) -> int:
    return sys.maxsize


class ChunkUnusable(Exception):
    """A chunk cannot be had from the disk; the message names why."""


@dataclass(frozen=True)
class Kept:
    """A chunk of a conversation as it lies on the disk."""

    address: str
    ids: tuple[int, ...]
    exactness: Exactness


@dataclass(frozen=True)
class Recalled:
    """A conversation as it was written down."""

    line: list[Kept]
    answers: Answers


@dataclass(frozen=True)
class Snapshot:
    """A conversation to be written down: every chunk with what it held at this moment."""

    name: str
    line: list[tuple[Chunk, Any]]
    answers: dict[str, list[tuple[int, ...]]]


class Disk(Protocol):
    """Where conversations survive the process. `nodes.model_worker.kv.shelf` is one.

    `recall` gives a word of why there is nothing, "" where there never was. `read` raises ChunkUnusable. `waiting` is
    what a chunk holds that is to be written, None once it is or never will be. `keeps`: the highest class that comes
    back.
    """

    @property
    def keeps(self) -> Exactness: ...

    def recall(self, name: str) -> Recalled | str: ...
    def discover(self, parent: Chunk, ids: tuple[int, ...]) -> Kept | None: ...
    def waiting(self, chunk: Chunk) -> Any: ...
    def read(self, chunk: Chunk) -> Any: ...
    def keep(self, snapshot: Snapshot) -> None: ...


@dataclass
class Session:
    """What is known of one conversation."""

    name: str
    end: Chunk
    """Where it stands in the tree."""
    answers: Answers = field(default_factory=Answers)
    ids: list[int] = field(default_factory=list)
    """Of its line, for as long as it is used."""
    wanted: Exactness = Exactness.CONTINUOUS
    """What its last request asked for."""
    salience: float | None = None
    """How much it matters, where that was said."""


@dataclass(frozen=True)
class Laid:
    """What lies on the desk for a request."""

    reused: int
    restored: int
    """Of these, read from the disk for it."""
    exactness: Exactness
    divergence: Divergence | None
    """Where the request departs from its own conversation."""
    missed: str = ""
    """Why something kept could not be used."""


@dataclass
class Counts:
    hits: int = 0
    """Requests of a known session."""
    misses: int = 0
    evicted: int = 0
    """Chunks dropped from memory because others needed the room."""
    lost: int = 0
    """Of these, the ones that lay nowhere else."""
    oversized: int = 0
    """Times when one conversation alone exceeded the budget."""
    broken: int = 0
    """States dropped because a request failed inside the model and may have left them half written."""
    pruned: int = 0
    """States dropped after their request, because tokens had to be dropped from between others for it."""
    answers_forgotten: int = 0
    """Earlier answers whose ids gave way to later ones of the same session."""
    sessions_forgotten: int = 0
    sessions_dropped: int = 0
    """Because somebody asked for it."""
    restored: int = 0
    """Chunks read from the disk."""
    unusable: int = 0
    """Chunks that should have been on the disk and could not be used."""
    not_worth_loading: int = 0
    """Chunks computed again because that was faster than reading them."""


class Sessions:
    """Conversations by name. One request at a time works on a session, and meanwhile nobody else sees it."""

    def __init__(
        self,
        *,
        layers: int,
        budget: int,
        bytes_per_token: int,
        size: int,
        seconds: Callable[[], float] = lambda: 0.0,
        disk: Disk | None = None,
        device: str = "cpu",
    ) -> None:
        """`size`: tokens of a chunk. `seconds`: a monotonic clock. `device`: where the model computes."""
        self._layers = layers
        self._device = device
        self._budget = budget
        self._bytes_per_token = bytes_per_token
        self._seconds = seconds
        self._disk = disk
        self._tree = Tree(size, self._discover)
        self._kept: OrderedDict[str, Session] = OrderedDict()
        self._desk = AttentionState(layers, size, device)
        self._laid: list[Chunk] = []
        """The chunks that lie on the desk in full, from its beginning."""
        self._in_use: Session | None = None
        self._at_work: Session | None = None
        """Whose request lies on the desk."""
        self._missed = ""
        """Why something kept could not be used for the session at work."""
        self.costs = Costs()
        self.counts = Counts()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def state(self) -> AttentionState:
        """The desk."""
        return self._desk

    @property
    def missed(self) -> str:
        """Why something kept could not be used for the session at work, "" if all could."""
        return self._missed

    @property
    def nbytes(self) -> int:
        return self._desk.nbytes + self._chunk_bytes()

    @contextmanager
    def use(self, name: str) -> Iterator[Session]:
        """The session of that name, or a new one, to work on; afterwards it is the most recently used.

        The empty name is always new and never kept. What a failure left half written is not kept either.
        """
        session = self._take(name)
        try:
            yield session
        finally:
            self._put(session)

    def lay(
        self,
        session: Session,
        ids: Sequence[int],
        wanted: Exactness = Exactness.CONTINUOUS,
        *,
        load_anyway: bool = False,
        admit: Admit = _anything,
    ) -> Laid:
        """Put on the desk what is held of `ids` at the class `wanted` or above. At least the last token is left out.

        `load_anyway`: also what would be computed again sooner than it is read. `admit` is asked before anything is
        read or copied.
        """
        session.wanted = wanted
        self._at_work = None
        own = match(session.ids, ids)
        found = self._tree.find(ids, wanted, session.end)
        with self._protected(found.line):
            self._lay_out(found.line[: self._common(found.line)], found.tokens)  # the rest of the desk may be dropped
            most = admit(self._in_memory(found))
            found = self._tree.within(found.line, min(found.tokens, most), wanted)
            line, tokens, restored = self._readable(found, wanted, load_anyway=load_anyway)
            self._lay_out(line, tokens)
        self._at_work = session
        now = self._seconds()
        for chunk in line:
            chunk.used = now
            chunk.hits += 1
        lowest = min((chunk.exactness for chunk in line), default=Exactness.COLD)
        if tokens % self._tree.size:
            lowest = min(lowest, Exactness.CONTINUOUS)
        return Laid(tokens, restored, lowest, own.divergence, self._missed)

    def make_room(self, tokens: int) -> None:
        """Evict until the desk may grow to `tokens` within the budget; what lies on the desk as well goes first."""
        room = self._budget - tokens * self._bytes_per_token
        for chunk in self._laid:
            if self._chunk_bytes() <= room:
                return
            chunk.data = None
        self._evict_to(room)

    def give_back(self, nbytes: int) -> int:
        """Evict chunks for so many bytes, whatever the budget allows; how many bytes that gave.

        Those on the desk stay, for they would be copied from it again, and so do those that wait to be written.
        """
        given = 0
        while given < nbytes and (chunk := self._least(lambda each: not each.pins and self._waiting(each) is None)):
            given += chunk.nbytes
            self._evict(chunk)
        return given

    def matters(self, name: str, salience: float) -> bool:
        """A conversation is worth so much (0..1) from now on, when others need its room. Whether it is held."""
        session = self._kept.get(name)
        if session is None:
            return False
        session.salience = max(FAINTEST, salience)
        session.end.matters(session.salience)
        return True

    def unsettled(self) -> str | None:
        """A conversation that is to be cold and has whole chunks that are not; the least recently used of them."""
        for name, session in self._kept.items():
            if session.wanted is Exactness.COLD and any(
                len(chunk.ids) == self._tree.size and Exactness.LOSSY < chunk.exactness < Exactness.COLD
                for chunk in session.end.line()
            ):
                return name
        return None

    def clear(self) -> None:
        """Forget everything that is in memory."""
        self._kept.clear()
        self._tree = Tree(self._tree.size, self._discover)
        self._clear_desk()

    def forget(self, name: str) -> int:
        """Drop a conversation from memory, but not what others begin with; how many tokens are no longer held."""
        session = self._kept.pop(name, None)
        if session is None:
            return 0
        line = session.end.line()
        if any(chunk in self._laid for chunk in line):
            self._refill()
            self._clear_desk()
        self._end_at(session, self._tree.root)
        dropped = 0
        for chunk in reversed(line):
            if _needed(chunk):
                break
            dropped += len(chunk.ids)
            self._tree.drop(chunk)
        self.counts.sessions_dropped += 1
        return dropped

    def stats(self) -> dict[str, float]:
        chunks = sum(1 for _ in self._tree.chunks())
        return {
            "sessions": len(self),
            "chunks": chunks,
            "bytes": self.nbytes,
            "budget": self._budget,
            **vars(self.counts),
        }

    # What is found

    def _take(self, name: str) -> Session:
        self._missed = ""
        session = self._kept.pop(name, None)
        if name:
            self.counts.hits += session is not None
            self.counts.misses += session is None
        if session is None:
            session = self._recalled(name) if name and self._disk else Session(name, self._tree.root)
        session.ids = session.end.all_ids()
        self._in_use = session
        return session

    def _recalled(self, name: str) -> Session:
        """The session as it was written down, if it was; its chunks are read when they are needed."""
        assert self._disk is not None
        recalled = self._disk.recall(name)
        if isinstance(recalled, str):
            self._missed = recalled
            return Session(name, self._tree.root)
        chunk = self._tree.root
        now = self._seconds()
        for kept in recalled.line:
            chunk = self._tree.attach(chunk, kept.ids, kept.exactness, kept.address, now)
        chunk.ends += 1
        return Session(name, chunk, recalled.answers)

    def _discover(self, parent: Chunk, ids: tuple[int, ...]) -> Chunk | None:
        kept = self._disk.discover(parent, ids) if self._disk else None
        if kept is None:
            return None
        return self._tree.attach(parent, kept.ids, kept.exactness, kept.address, self._seconds())

    def _readable(self, found: Found, wanted: Exactness, *, load_anyway: bool) -> tuple[list[Chunk], int, int]:
        """The line as far as its bytes can be had, and are worth reading: (line, tokens, tokens read from the disk).

        Computing instead of reading gives the same bits only where all of the line is cold; otherwise it is read.
        """
        line, tokens, restored = found.line, found.tokens, 0
        may_compute = not load_anyway and all(chunk.exactness is Exactness.COLD for chunk in line)
        for number, chunk in enumerate(line):
            start = number * self._tree.size
            laid = self._lies_at(number, chunk)
            if chunk.data is None and not laid:
                chunk.data = self._waiting(chunk)
            if chunk.data is not None or laid:
                continue
            if may_compute and not self._worth_reading(chunk):
                return line[:number], min(tokens, start), restored
            if not self._read(chunk) or chunk.exactness < wanted:
                return line[:number], min(tokens, start), restored
            restored += min(tokens, start + len(chunk.ids)) - start
        return line, tokens, restored

    def _lies_at(self, number: int, chunk: Chunk) -> bool:
        """Whether the desk holds this chunk there in full."""
        return number < len(self._laid) and self._laid[number] is chunk

    def _in_memory(self, found: Found) -> int:
        """How many tokens of it need not be read."""
        held = sum(
            len(chunk.ids)
            for number, chunk in enumerate(found.line)
            if self._lies_at(number, chunk) or chunk.data is not None or self._waiting(chunk) is not None
        )
        return min(held, found.tokens)

    @contextmanager
    def _protected(self, line: list[Chunk]) -> Iterator[None]:
        """Meanwhile they stay in memory and in the tree, whatever makes room."""
        for chunk in line:
            chunk.pins += 1
        try:
            yield
        finally:
            for chunk in line:
                chunk.pins -= 1
            for chunk in line:
                self._tree.prune(chunk)

    def _worth_reading(self, chunk: Chunk) -> bool:
        pays = self.costs.loading_pays(len(chunk.ids), len(chunk.ids) * self._bytes_per_token)
        self.counts.not_worth_loading += not pays
        return pays

    def _read(self, chunk: Chunk) -> bool:
        nbytes = len(chunk.ids) * self._bytes_per_token
        began = self._seconds()
        try:
            chunk.data = self._from_disk(chunk)
        except ChunkUnusable as error:
            self.counts.unusable += 1
            self._missed = str(error)
            self._forget(chunk)
            return False
        self._only_on_disk(chunk)
        self.costs.loaded(nbytes, self._seconds() - began)
        self.counts.restored += 1
        return True

    def _only_on_disk(self, chunk: Chunk) -> None:
        """Nothing better is left of it than what the disk gives back."""
        if self._disk is not None:
            chunk.exactness = min(chunk.exactness, self._disk.keeps)

    def _from_disk(self, chunk: Chunk) -> Any:
        if self._disk is None or not chunk.address:
            raise ChunkUnusable("it lies nowhere")
        return self._disk.read(chunk)

    def _lies_elsewhere(self, chunk: Chunk) -> bool:
        return self._waiting(chunk) is not None or bool(chunk.address)  # it gets its address before it waits no more

    def _waiting(self, chunk: Chunk) -> Any:
        return self._disk.waiting(chunk) if self._disk is not None else None

    def _forget(self, chunk: Chunk) -> None:
        """Take out a chunk that cannot be had, and what rests on it; sessions end before it."""
        for session in self._all():
            if chunk in session.end.line():
                self._cut(session, chunk)
        self._tree.drop(chunk)

    def _all(self) -> list[Session]:
        return [*self._kept.values(), *([self._in_use] if self._in_use else [])]

    def _cut(self, session: Session, chunk: Chunk) -> None:
        """Have it end before the chunk, which is lost."""
        self._end_at(session, chunk.parent or self._tree.root)
        if session is self._in_use:
            session.ids = session.end.all_ids()

    # The desk

    def _common(self, line: list[Chunk]) -> int:
        """How many chunks of the line the desk begins with."""
        common = 0
        while common < min(len(line), len(self._laid)) and line[common] is self._laid[common]:
            common += 1
        return common

    def _lay_out(self, line: list[Chunk], tokens: int) -> None:
        try:
            self._copy_on(line, tokens)
        except BaseException:
            self._clear_desk()  # it may hold the beginning of one conversation and the rest of none
            raise

    def _copy_on(self, line: list[Chunk], tokens: int) -> None:
        common = self._common(line)
        on_desk = sum(len(chunk.ids) for chunk in line[:common])
        self._desk.truncate(min(on_desk, tokens, len(self._desk.ids)))
        for chunk in line[common:]:
            held = len(self._desk.ids)
            count = min(len(chunk.ids), tokens - held)
            data = chunk.data if count == len(chunk.ids) else chunk.data[..., :count, :]
            self._desk.append(data, chunk.ids[:count], cold=chunk.exactness is Exactness.COLD)
        self._pin(_in_full(line, tokens))

    def _pin(self, laid: list[Chunk]) -> None:
        """These lie on the desk in full; while they do, they stay in the tree even without data of their own."""
        for chunk in laid:
            chunk.pins += 1
        for chunk in self._laid:
            chunk.pins -= 1
        before, self._laid = self._laid, laid
        for chunk in before:
            self._tree.prune(chunk)

    def _clear_desk(self) -> None:
        lost = next((each for each in self._laid if each.data is None and not self._lies_elsewhere(each)), None)
        if lost is not None:
            self.counts.lost += 1
            self._forget(lost)
        for chunk in self._laid:
            if chunk.data is None:
                self._only_on_disk(chunk)
        self._desk = AttentionState(self._layers, self._tree.size, self._device)
        self._pin([])

    # What stays

    def _put(self, session: Session) -> None:
        self.counts.answers_forgotten += session.answers.forgotten
        session.answers.forgotten = 0
        if not self._desk.whole:
            self.counts.broken += 1
            if self._desk.back_to(sum(len(chunk.ids) for chunk in self._laid)):
                self._refill()
            self._clear_desk()
        elif self._desk.pruned:
            self.counts.pruned += 1
            self._clear_desk()
        else:
            self._refill()
            if session.name and session is self._at_work:
                self._copy_off(session)
        self._at_work = self._in_use = None
        session.ids = []
        if session.name and session.end is not self._tree.root:
            self._kept[session.name] = session
            if session.salience is not None:
                session.end.matters(session.salience)
            self._write_down(session)
            self._forget_oldest()
        self._evict_to_budget()

    def _refill(self) -> None:
        """Give chunks back what they had left to the desk alone."""
        size = self._tree.size
        for number, chunk in enumerate(self._laid):
            if chunk.data is None:
                chunk.data = self._desk.piece(number * size, number * size + len(chunk.ids))

    def _copy_off(self, session: Session) -> None:
        """Make chunks of what the desk holds beyond those that lie on it, and let the session end there.

        A request that was refused or interrupted may leave no more than a beginning of the conversation on the desk:
        that ends where it did.
        """
        size, desk, now = self._tree.size, self._desk, self._seconds()
        line = [chunk for chunk in self._laid if len(chunk.ids) == size]
        if len(desk.ids) == sum(len(chunk.ids) for chunk in self._laid):
            line = list(self._laid)
        else:
            for start in range(len(line) * size, len(desk.ids), size):
                end = min(start + size, len(desk.ids))
                exactness = Exactness.COLD if end <= desk.cold else Exactness.CONTINUOUS
                parent = line[-1] if line else self._tree.root
                line.append(self._tree.add(parent, desk.ids[start:end], exactness, desk.piece(start, end), now))
        before = session.end
        if not _is_beginning(desk.ids, session.ids):
            self._end_at(session, line[-1] if line else self._tree.root)
        self._pin(line)
        self._outgrown(before, line)

    def _outgrown(self, before: Chunk, line: list[Chunk]) -> None:
        """The part of a chunk with which the conversation ended until now is of no use to anybody else."""
        grown = next((chunk for chunk in line if chunk.parent is before.parent), None)
        if grown is None or grown is before or before.ends or before.pins or before.children:
            return
        if grown.ids[: len(before.ids)] == before.ids and len(before.ids) < self._tree.size:
            self._tree.drop(before)

    def _end_at(self, session: Session, chunk: Chunk) -> None:
        before, session.end = session.end, chunk
        chunk.ends += 1 if chunk.parent is not None else 0
        before.ends -= 1 if before.parent is not None else 0
        self._tree.prune(before)

    def _write_down(self, session: Session) -> None:
        if self._disk is not None:
            line = [(chunk, chunk.data) for chunk in session.end.line()]
            self._disk.keep(Snapshot(session.name, line, session.answers.as_dict()))

    def _forget_oldest(self) -> None:
        while len(self._kept) > MOST:
            _, oldest = self._kept.popitem(last=False)
            self._end_at(oldest, self._tree.root)
            self.counts.sessions_forgotten += 1

    # The budget

    def _chunk_bytes(self) -> int:
        return sum(chunk.nbytes for chunk in self._tree.chunks())

    def _evict_to_budget(self) -> None:
        if self._desk.nbytes > self._budget:
            self.counts.oversized += 1
        if self.nbytes > self._budget:
            self._clear_desk()  # all of it lies in chunks, too
            self._evict_to(self._budget)

    def _evict_to(self, limit: int) -> None:
        """Drop chunks from memory, those of least worth first and none before what rests on it."""
        held = self._chunk_bytes()
        while held > limit and (chunk := self._least(lambda _: True)):
            held -= chunk.nbytes
            self._evict(chunk)

    def _least(self, may: Callable[[Chunk], bool]) -> Chunk | None:
        """Of the chunks in memory that may go and that bear no other, the one of least worth."""
        loose = [each for each in self._tree.chunks() if each.data is not None and not _bears(each) and may(each)]
        return min(loose, key=self._worth, default=None)

    def _evict(self, chunk: Chunk) -> None:
        chunk.data = None
        if not chunk.pins:
            self._only_on_disk(chunk)
        self.counts.evicted += 1
        if not (chunk.pins or self._lies_elsewhere(chunk)):
            self.counts.lost += 1
            for session in self._all() if chunk.ends else ():
                if session.end is chunk:
                    self._cut(session, chunk)
        self._tree.prune(chunk)

    def _worth(self, chunk: Chunk) -> float:
        return worth(
            saved_s=self.costs.compute_s * len(chunk.ids) or float(len(chunk.ids)),
            age_s=self._seconds() - chunk.used,
            hits=chunk.hits,
            salience=chunk.salience,
            nbytes=chunk.nbytes,
        )


def _in_full(line: list[Chunk], tokens: int) -> list[Chunk]:
    """Those of the line that lie within its first `tokens`."""
    found, end = [], 0
    for chunk in line:
        end += len(chunk.ids)
        if end <= tokens:
            found.append(chunk)
    return found


def _is_beginning(part: list[int], whole: list[int]) -> bool:
    return len(part) < len(whole) and whole[: len(part)] == part


def _needed(chunk: Chunk) -> bool:
    """Whether a conversation ends here or further on, or somebody works on it."""
    waiting = [chunk]
    while waiting:
        each = waiting.pop()
        if each.ends or each.pins:
            return True
        waiting += each.children
    return False


def _bears(chunk: Chunk) -> bool:
    """Whether a chunk in memory rests on this one."""
    return any(child.data is not None for child in chunk.children)
