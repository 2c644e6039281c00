"""The classifier's memory as bytes and back, so that what was learned outlives the process."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import msgspec

from nodes.context_classifier.clusters import Record
from nodes.context_classifier.memory import RECENT, Limits, Memory, Session, Turn
from nodes.context_classifier.scorer import Saved
from nodes.context_classifier.vectors import DIMENSIONS
from protocol.errors import SageError

if TYPE_CHECKING:
    from nodes.context_classifier.vectors import Vector

FORMAT = 2


class SnapshotUnreadable(SageError):
    code = "context.snapshot"


class SavedTurn(msgspec.Struct):
    cluster: int
    vector: bytes
    statement: bytes
    denies: bool


class SavedSession(msgspec.Struct):
    name: str
    place: bytes
    turns: list[SavedTurn]


class Snapshot(msgspec.Struct, kw_only=True):
    """Vectors are half precision, DIMENSIONS each, one after the other."""

    format: int
    dimensions: int
    documents: int
    frequencies: bytes
    records: list[Record]
    centres: bytes
    inputs: int
    highest: int
    sessions: list[SavedSession]
    salience: Saved
    """Exchanges with the salience they were given, and what all of it is ranked among."""


def save(memory: Memory, salience: Saved) -> bytes:
    clusters = memory.clusters
    return msgspec.msgpack.encode(
        Snapshot(
            format=FORMAT,
            dimensions=DIMENSIONS,
            documents=memory.rarity.documents,
            frequencies=memory.rarity.frequencies.tobytes(),
            records=clusters.records,
            centres=_pack(clusters.centres[: len(clusters.records)]),
            inputs=clusters.inputs,
            highest=clusters.highest,
            sessions=[_save_session(name, session) for name, session in memory.sessions.items()],
            salience=salience,
        )
    )


def restore(data: bytes, limits: Limits) -> tuple[Memory, Saved]:
    """The memory and what is known of salience, out of `data`. Raises `SnapshotUnreadable` for what `save` never wrote.

    Where `limits` are narrower than what was saved, the groups met most and the conversations heard last stay.
    """
    try:
        saved = msgspec.msgpack.decode(data, type=Snapshot)
        memory = _restore(saved, limits)
    except (msgspec.MsgspecError, ValueError) as error:
        raise SnapshotUnreadable(
            f"no memory of format {FORMAT} with {DIMENSIONS} dimensions: {error}",
            remedy="remove the file; the classifier then starts with nothing known",
        ) from error
    return memory, saved.salience


def _restore(saved: Snapshot, limits: Limits) -> Memory:
    import numpy as np

    if (saved.format, saved.dimensions) != (FORMAT, DIMENSIONS):
        raise ValueError(f"is of format {saved.format} with {saved.dimensions} dimensions")
    memory = Memory(limits)
    memory.rarity.documents = saved.documents
    memory.rarity.frequencies = np.frombuffer(saved.frequencies, dtype=np.float32).copy().reshape(DIMENSIONS)
    centres = _unpack(saved.centres).reshape(len(saved.records), DIMENSIONS)
    by_use = sorted(range(len(saved.records)), key=lambda row: saved.records[row].members, reverse=True)
    rows = by_use[: limits.clusters]
    clusters = memory.clusters
    clusters.records = [saved.records[row] for row in rows]
    clusters.centres[: len(rows)] = centres[rows]
    clusters.inputs, clusters.highest = saved.inputs, saved.highest
    for session in saved.sessions[-limits.sessions :]:
        turns = [
            Turn(turn.cluster, _unpack(turn.vector), _unpack(turn.statement), turn.denies) for turn in session.turns
        ]
        memory.sessions[session.name] = Session(_unpack(session.place), deque(turns, maxlen=RECENT))
    return memory


def _save_session(name: str, session: Session) -> SavedSession:
    turns = [SavedTurn(turn.cluster, _pack(turn.vector), _pack(turn.statement), turn.denies) for turn in session.turns]
    return SavedSession(name, _pack(session.place), turns)


def _pack(vectors: Vector) -> bytes:
    import numpy as np

    return vectors.astype(np.float16).tobytes()


def _unpack(data: bytes) -> Vector:
    import numpy as np

    return np.frombuffer(data, dtype=np.float16).astype(np.float32)
