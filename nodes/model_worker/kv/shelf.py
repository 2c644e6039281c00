"""One model's part of a vault, as its sessions use it: reads at once, writes in the background.

A conversation is written down after every turn. While the writer is busy, later turns of the same conversation replace
the earlier one in the queue; so the queue holds each conversation once, as it was last. What could not be written stays
in the queue, and is tried again.
"""

import atexit
import contextlib
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from nodes.model_worker.kv.answers import Answers
from nodes.model_worker.kv.chunkfile import Content, Unreadable
from nodes.model_worker.kv.codecs.codec import Codecs
from nodes.model_worker.kv.exactness import Exactness, exactness
from nodes.model_worker.kv.hot import Mapped
from nodes.model_worker.kv.manifest import KeptChunk, Manifest
from nodes.model_worker.kv.sessions import ChunkUnusable, Kept, Recalled, Snapshot
from nodes.model_worker.kv.shape import StateShape
from nodes.model_worker.kv.tree import Chunk
from nodes.model_worker.kv.vault import Vault, differing, model_word
from runtime.clock import Clock

RETRY_S = 5.0
"""Between two tries to write what could not be written; sooner with the next turn."""
MOST_WAITING = 64
"""Conversations in the queue; past it the one that waits longest is given up, and counted."""


class Shelf:
    """Reads on the caller's thread. `problem` says why a write failed, "" once the next does not."""

    def __init__(
        self,
        vault: Vault,
        fingerprint: Mapping[str, str],
        *,
        model: str,
        shape: StateShape,
        size: int,
        codecs: Codecs | None = None,
        room: int = 1 << 30,
        clock: Clock | None = None,
        noticed: Callable[[], None] = lambda: None,
    ) -> None:
        """`noticed` is called on the writing thread whenever `problem` has changed.

        `room`: bytes that may wait to be written. Past it the conversation that waits longest is given up, and counted;
        the latest never is.
        """
        self._vault = vault
        self._fingerprint = dict(fingerprint)
        self._word = model_word(self._fingerprint)
        self._model = model
        self._shape = shape
        self._size = size
        self._codecs = codecs or Codecs()
        self._room = room
        self._clock = clock or Clock()
        self._noticed = noticed
        self._waiting: OrderedDict[str, Snapshot] = OrderedDict()
        self._changed = threading.Condition()
        self._in_hand: Snapshot | None = None
        """What is being written."""
        self._tried: set[str] = set()
        """Conversations that could not be written, until it is time to try again."""
        self._failing: dict[str, str] = {}
        """Why, until they are."""
        self._closing = False
        self._thread: threading.Thread | None = None
        self.problem = ""
        self.failed = 0
        """Times that writing failed."""
        self.given_up = 0
        """Conversations that were not written down as they were last."""
        self.unread = 0
        """Times that the index could not be asked what is kept."""

    # Reading

    def recall(self, name: str) -> Recalled | str:
        """What was written of the conversation, or why it cannot be used; "" where there never was anything."""
        try:
            kept = self._vault.read_session(self._word, name)
            others = self._vault.other_models(name) if kept == "" else []
        except (sqlite3.Error, OSError) as error:
            self.unread += 1
            return f"the index of what is kept cannot be read: {error}"
        if isinstance(kept, str):
            return kept or (f"kept under another model: {differing(others[0], self._fingerprint)}" if others else "")
        line = [Kept(chunk.address, tuple(chunk.ids), exactness(chunk.exactness)) for chunk in kept.line]
        with contextlib.suppress(sqlite3.Error):  # they only look older than they are
            self._vault.used([chunk.address for chunk in line])
        return Recalled(line, Answers.of(kept.answers))

    def discover(self, parent: Chunk, ids: tuple[int, ...]) -> Kept | None:
        """A whole chunk after `parent` that somebody else computed."""
        try:
            rows = self._vault.index.named(self._word, self._vault.line_name(self._name(parent), ids))
        except sqlite3.Error:
            self.unread += 1
            return None
        for row in rows:
            if row.tokens == len(ids) and row.parent == parent.address:
                return Kept(row.address, ids, Exactness(row.exactness))
        return None

    def read(self, chunk: Chunk) -> Tensor:
        """[layers, 2, kv_heads, tokens, head_dim]. Raises ChunkUnusable with the reason.

        Where another worker shares it in memory, it is mapped from there.
        """
        mapped = self._vault.hot.map(chunk.address, self._word) if self._vault.hot else None
        if mapped is not None and tuple(mapped.ids) == chunk.ids and self._is_ours(mapped):
            return _tensor_in(mapped)
        try:
            content = self._vault.read_chunk(chunk.address, self._fingerprint)
        except (Unreadable, sqlite3.Error, OSError) as error:
            raise ChunkUnusable(f"chunk {chunk.address[:12]}: {error}") from error
        if tuple(content.ids) != chunk.ids:  # a name that fits is not yet a match
            raise ChunkUnusable(f"chunk {chunk.address[:12]}: it holds other tokens")
        if not self._is_ours(content):
            raise ChunkUnusable(
                f"chunk {chunk.address[:12]}: {content.dtype} {content.shape} is not this model's"
                f" {self._shape.dtype} {self._shape.of(len(content.ids))}"
            )
        try:
            data = self._codecs.tensor(content)
        except Unreadable as error:
            raise ChunkUnusable(f"chunk {chunk.address[:12]}: {error}") from error
        self._share(chunk.address, content)
        return data

    def _is_ours(self, held: Content | Mapped) -> bool:
        """Whether it looks as this model's state does."""
        return held.dtype == self._shape.dtype and list(held.shape) == self._shape.of(len(held.ids))

    def waiting(self, chunk: Chunk) -> Tensor | None:
        """What the chunk holds, while that waits to be written."""
        with self._changed:
            return self._waiting_data(chunk)

    # Writing

    def keep(self, snapshot: Snapshot) -> None:
        with self._changed:
            line = [(chunk, self._waiting_data(chunk) if data is None else data) for chunk, data in snapshot.line]
            self._waiting[snapshot.name] = Snapshot(snapshot.name, line, snapshot.answers)
            self._waiting.move_to_end(snapshot.name)
            if self._bytes_waiting() > self._room:
                self._lighten()
            while len(self._waiting) > 1 and (len(self._waiting) > MOST_WAITING or self._bytes_waiting() > self._room):
                name, _ = self._waiting.popitem(last=False)
                self._failing.pop(name, None)
                self.given_up += 1
            self._tried.clear()
            if not self._runs():
                self._thread = threading.Thread(target=self._write_all, name="attention-state", daemon=True)
                self._thread.start()
                atexit.register(self.close)  # an interpreter that ends beneath a writing thread dies of it
            self._changed.notify_all()

    def forget(self, name: str) -> None:
        """Write down nothing more of the conversation."""
        with self._changed:
            self._changed.wait_for(lambda: self._in_hand is None or self._in_hand.name != name)
            self._waiting.pop(name, None)
            self._failing.pop(name, None)
            self.problem = next(reversed(self._failing.values()), "")

    def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until each that waits was tried; False if that took longer or one failed (then see `problem`)."""
        with self._changed:
            self._tried.clear()
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._all_tried() or not self._runs(), timeout_s)
            return self._idle()

    def close(self) -> None:
        """Write what waits, and end. What cannot be written even now is given up, and counted."""
        self.flush()
        with self._changed:
            self.given_up += len(self._waiting)
            self._waiting.clear()
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
            atexit.unregister(self.close)

    def stats(self) -> dict[str, float]:
        with self._changed:
            waiting = len(self._waiting) + (self._in_hand is not None)
            waiting_bytes = self._bytes_waiting()
        hot = self._vault.hot
        return {
            "disk_waiting": waiting,
            "disk_waiting_bytes": waiting_bytes,
            "disk_failed": self.failed,
            "disk_given_up": self.given_up,
            "disk_unread": self.unread,
            **{f"disk_{name}": value for name, value in vars(self._vault.counts).items()},
            **({f"shared_{name}": value for name, value in vars(hot.counts).items()} if hot else {}),
        }

    def _snapshots(self) -> Iterator[Snapshot]:
        if self._in_hand is not None:
            yield self._in_hand
        yield from self._waiting.values()

    def _waiting_data(self, chunk: Chunk) -> Tensor | None:
        for snapshot in self._snapshots():
            for each, data in snapshot.line:
                if each is chunk and data is not None:
                    return data  # type: ignore[no-any-return]
        return None

    def _bytes_waiting(self) -> int:
        """Held by the queue, beside what is being written."""
        held = {id(data): data.nbytes for each in self._waiting.values() for _, data in each.line if data is not None}
        return sum(held.values())

    def _lighten(self) -> None:
        """Let go of chunks that lie on the disk already."""
        for name, each in self._waiting.items():
            line = [(chunk, None if chunk.address else data) for chunk, data in each.line]
            self._waiting[name] = Snapshot(name, line, each.answers)

    def _idle(self) -> bool:
        return not self._waiting and self._in_hand is None

    def _all_tried(self) -> bool:
        return self._in_hand is None and self._waiting.keys() <= self._tried

    def _runs(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _write_all(self) -> None:
        while snapshot := self._next():
            before = self.problem
            try:
                self._write(snapshot)
                self._note(snapshot, None)
            except Exception as error:
                self._note(snapshot, error)
            if self.problem != before:
                with contextlib.suppress(Exception):  # who is to be told may be gone; the rest is written all the same
                    self._noticed()

    def _next(self) -> Snapshot | None:
        """What to write now; None once the shelf is closed.

        What failed comes after all else, and once nothing else waits, only after a while.
        """
        with self._changed:
            self._in_hand = None
            self._changed.notify_all()
            while not self._closing and self._all_tried():
                if not self._changed.wait(RETRY_S if self._waiting else None):
                    self._tried.clear()
            name = next((name for name in self._waiting if name not in self._tried), None)
            if name is None:
                return None
            self._in_hand = self._waiting.pop(name)
            return self._in_hand

    def _note(self, snapshot: Snapshot, error: Exception | None) -> None:
        """How writing it went. What failed waits again, unless the conversation has gone on meanwhile."""
        with self._changed:
            self._failing.pop(snapshot.name, None)
            if error is not None:
                self._failing[snapshot.name] = f"attention state is not kept: {error}"
                self.failed += 1
                if snapshot.name not in self._waiting:
                    self._waiting[snapshot.name] = snapshot
                    self._tried.add(snapshot.name)
                if isinstance(error, TimeoutError):  # nor can anything else be written: somebody holds the vault
                    self._tried.update(self._waiting)
            self.problem = next(reversed(self._failing.values()), "")

    def _write(self, snapshot: Snapshot) -> None:
        with self._vault.alone():
            self._write_alone(snapshot)

    def _write_alone(self, snapshot: Snapshot) -> None:
        line = []
        for number, (chunk, data) in enumerate(snapshot.line):
            if not chunk.address or self._vault.index.chunk(chunk.address) is None:
                if data is None:
                    break  # evicted before it was written: the conversation is kept as far as here
                if self._codecs.loses and len(chunk.ids) < self._size:
                    break  # computed again, exactly, sooner than it is worth keeping
                content = self._content(chunk, data, number)
                chunk.address = self._vault.write_chunk(self._word, content, self._name(chunk))
                self._share(chunk.address, content)
            line.append(KeptChunk(chunk.address, list(chunk.ids), self._kept_as(chunk).label))
        if not line and self._codecs.loses:
            return  # nothing of it fills a chunk yet
        kept = Manifest(
            name=snapshot.name,
            model=self._model,
            line=line,
            answers={text: [list(ids) for ids in ways] for text, ways in snapshot.answers.items()},
            kept_ns=self._clock.wall_ns(),
        )
        self._vault.write_session(self._fingerprint, self._word, kept)
        self._vault.evict()

    def _share(self, address: str, content: Content) -> None:
        """With other workers of this model; only whole chunks, which they can begin with, and only as they are."""
        if content.lossy:
            return
        if self._vault.hot is not None and len(content.ids) == self._size:
            with contextlib.suppress(OSError):  # it lies on the disk anyway
                self._vault.hot.put(address, self._word, content)

    def _content(self, chunk: Chunk, data: Tensor, number: int) -> Content:
        return Content(
            fingerprint=self._fingerprint,
            exactness=self._kept_as(chunk).label,
            size=self._size,
            dtype=str(data.dtype).removeprefix("torch."),
            shape=list(data.shape),
            parent=chunk.parent.address if chunk.parent else "",
            ids=chunk.ids,
            start=number * self._size,
            model=self._model,
            layers=self._codecs.packed(data, number * self._size),
            codec=self._codecs.name,
        )

    def _kept_as(self, chunk: Chunk) -> Exactness:
        return min(chunk.exactness, self.keeps)

    @property
    def keeps(self) -> Exactness:
        """The highest class that comes back from the disk."""
        return Exactness.LOSSY if self._codecs.loses else Exactness.COLD

    def _name(self, chunk: Chunk) -> bytes:
        if chunk.parent is not None and not chunk.name:
            chunk.name = self._vault.line_name(self._name(chunk.parent), chunk.ids)
        return chunk.name


def _tensor_in(mapped: Mapped) -> Tensor:
    """The same memory; as long as the tensor lives, the chunk is leased."""
    raw = torch.frombuffer(mapped.memory, dtype=torch.uint8, offset=mapped.start)
    return raw.view(getattr(torch, mapped.dtype)).view(mapped.shape)
