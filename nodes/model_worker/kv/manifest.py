"""The file of one conversation: which chunks it is made of, and the ids in which its answers were generated. No torch.

Magic, version, public header (msgpack), sealed rest; built as a chunk's file is (`chunkfile`).
"""

import os
import struct

import msgspec

from nodes.model_worker.kv.chunkfile import Keys, Newer, Unreadable, decoded
from protocol.errors import SealError

MAGIC, VERSION = b"SAGEKS\r\n", 1
_PREFIX = struct.Struct("<8sHI")


class PublicPart(msgspec.Struct, frozen=True, kw_only=True):
    fingerprint: dict[str, str]
    salt: bytes


class KeptChunk(msgspec.Struct, frozen=True, array_like=True):
    address: str
    ids: list[int]
    exactness: str


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """What a checkpoint marks."""

    session: str
    label: str
    why: str

    @property
    def name(self) -> str:
        """Under which it is kept, as a conversation of its own."""
        return f"{self.session}#{self.label}"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What only the host may read."""

    name: str
    model: str
    line: list[KeptChunk]
    answers: dict[str, list[list[int]]]
    """Text → the ids it was generated in."""
    kept_ns: int
    """Wall time."""
    moment: Moment | None = None
    """Of a checkpoint; None for the conversation itself."""


def pack(keys: Keys, fingerprint: dict[str, str], manifest: Manifest) -> bytes:
    salt = os.urandom(16)
    header = msgspec.msgpack.encode(PublicPart(fingerprint=fingerprint, salt=salt))
    head = _PREFIX.pack(MAGIC, VERSION, len(header)) + header
    return head + keys.sealer(salt).seal(msgspec.msgpack.encode(manifest), head)


def unpack(keys: Keys, data: bytes) -> tuple[PublicPart, Manifest]:
    """Raises Unreadable with the reason."""
    public, end = read_public(data)
    try:
        plain = keys.sealer(public.salt).open(data[end:], data[:end])
    except SealError as error:
        raise Unreadable("it does not open: changed, cut off, or sealed under another key") from error
    return public, decoded(plain, Manifest, "its content")


def read_public(data: bytes) -> tuple[PublicPart, int]:
    if len(data) < _PREFIX.size:
        raise Unreadable(f"{len(data)} bytes, too few for a header")
    magic, version, length = _PREFIX.unpack_from(data)
    if magic != MAGIC:
        raise Unreadable("not a conversation's file: it begins otherwise")
    if version != VERSION:
        raise Newer(version, VERSION)
    end = _PREFIX.size + length
    return decoded(data[_PREFIX.size : end], PublicPart, "its header"), end
