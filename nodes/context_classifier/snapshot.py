"""The classifier's memory as bytes and back, so that what was learned outlives the process."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from nodes.context_classifier.awaited import Awaited
from nodes.context_classifier.claims import Heard
from nodes.context_classifier.clusters import Record
from nodes.context_classifier.encoder import Encoder
from nodes.context_classifier.memory import RECENT, Limits, Memory, Session, Turn
from nodes.context_classifier.scorer import Saved
from protocol.errors import SageError

if TYPE_CHECKING:
    from nodes.context_classifier.vectors import Vector

FORMAT = 2


class SnapshotUnreadable(SageError):
    code = "context.snapshot"


class SavedTurn(msgspec.Struct):
    cluster: int
    vector: bytes
    heard: Heard


class SavedSession(msgspec.Struct):
    name: str
    place: bytes
    turns: list[SavedTurn]


class Snapshot(msgspec.Struct, kw_only=True):
    """Vectors are half precision, as many numbers each as the encoder gives, one after the other."""

    format: int
    encoder: str
    """Fingerprint of the encoder that they come from."""
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
            encoder=memory.fingerprint,
            records=clusters.records,
            centres=_pack(clusters.centres[: len(clusters.records)]),
            inputs=clusters.inputs,
            highest=clusters.highest,
            sessions=[_save_session(name, session) for name, session in memory.sessions.items()],
            salience=salience,
        )
    )


@dataclass(frozen=True)
class Restored:
    memory: Memory
    salience: Saved
    left: str = ""
    """Why the memory begins anew though there was one; "" where it goes on."""


def restore(data: bytes, limits: Limits, encoder: Encoder) -> Restored:
    """The memory and what is known of salience, out of `data`. Raises `SnapshotUnreadable` for what `save` never wrote.

    Vectors by another encoder say nothing beside those of this one: then only the salience goes on, which rests on
    none. Where `limits` are narrower than what was saved, the groups met most and the conversations heard last stay.
    """
    try:
        saved = msgspec.msgpack.decode(data, type=Snapshot)
        memory, left = _restore(saved, limits, encoder)
    except (msgspec.MsgspecError, ValueError) as error:
        raise SnapshotUnreadable(
            f"no memory of format {FORMAT}: {error}",
            remedy="remove the file; the classifier then starts with nothing known",
        ) from error
    return Restored(memory, saved.salience, left)


def _comparable(fingerprint: str, encoder: Encoder) -> bool:
    if isinstance(encoder, Awaited):
        return encoder.assume(fingerprint)
    return fingerprint == encoder.fingerprint


def _restore(saved: Snapshot, limits: Limits, encoder: Encoder) -> tuple[Memory, str]:
    """The memory, and why it begins anew."""
    if saved.format != FORMAT:
        raise ValueError(f"is of format {saved.format}")
    if not _comparable(saved.encoder, encoder):
        left = f"what is known was learned by the encoder {saved.encoder}, now there is {encoder.fingerprint}"
        return Memory(limits, encoder), left
    memory = Memory(limits, encoder)
    centres = _unpack(saved.centres).reshape(len(saved.records), encoder.dimensions)
    by_use = sorted(range(len(saved.records)), key=lambda row: saved.records[row].members, reverse=True)
    rows = by_use[: limits.clusters]
    clusters = memory.clusters
    clusters.records = [saved.records[row] for row in rows]
    clusters.centres[: len(rows)] = centres[rows]
    clusters.inputs, clusters.highest = saved.inputs, saved.highest
    for session in saved.sessions[-limits.sessions :]:
        turns = [Turn(_unpack(turn.vector), turn.heard, turn.cluster) for turn in session.turns]
        memory.sessions[session.name] = Session(_unpack(session.place), deque(turns, maxlen=RECENT))
    return memory, ""


def _save_session(name: str, session: Session) -> SavedSession:
    turns = [SavedTurn(turn.cluster, _pack(turn.vector), turn.heard) for turn in session.turns]
    return SavedSession(name, _pack(session.place), turns)


def _pack(vectors: Vector) -> bytes:
    import numpy as np

    return vectors.astype(np.float16).tobytes()


def _unpack(data: bytes) -> Vector:
    import numpy as np

    return np.frombuffer(data, dtype=np.float16).astype(np.float32)
