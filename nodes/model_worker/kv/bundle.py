"""A conversation's state as one file, to carry to another host or to keep elsewhere. No torch.

    bytes   what
    8       magic b"SAGEKB\\r\\n"
    2       version, little endian
    then, each after 4 bytes of its length (little endian):
            head, msgpack: fingerprint, manifest, who exported it when, and how many chunks follow
            one record for each chunk, msgpack: token ids, class, shape, dtype, layers (packed as in a chunk's file)
            signature, Ed25519 of the exporting host over the SHA-256 of all that is before it

It is not sealed: the seals of a host open nowhere else. Whoever has the file can read the conversation.
"""

import hashlib
import struct
from math import prod
from typing import BinaryIO

import msgspec

from nodes.model_worker.kv.chunkfile import Content, Newer, Unreadable, decoded, item_bytes, packed_layers
from nodes.model_worker.kv.codecs import lossless
from nodes.model_worker.kv.exactness import exactness
from nodes.model_worker.kv.manifest import KeptChunk, Manifest
from nodes.model_worker.kv.vault import Vault, model_word
from protocol.errors import SealError
from protocol.lct import binds
from runtime.identity import verify

MAGIC, VERSION = b"SAGEKB\r\n", 1
_MOST_LAYER = 1 << 30
"""Bytes of one layer of a chunk, unpacked."""
_PREFIX, _LENGTH = struct.Struct("<8sH"), struct.Struct("<I")


class Head(msgspec.Struct, frozen=True, kw_only=True):
    fingerprint: dict[str, str]
    manifest: Manifest
    by: str
    """LCT of the host that exported it."""
    key: bytes
    """Its public key."""
    made_ns: int
    """Wall time."""
    chunks: int


class Record(msgspec.Struct, frozen=True, kw_only=True):
    ids: list[int]
    exactness: str
    size: int
    dtype: str
    shape: list[int]
    start: int
    model: str
    layers: list[bytes]
    codec: str = lossless.NAME


def export(vault: Vault, fingerprint: dict[str, str], kept: Manifest, file: BinaryIO, now_ns: int) -> int:
    """Write the conversation; how many bytes that were. Raises Unreadable for a chunk that cannot be had, OSError."""
    keys = vault.keys
    head = Head(
        fingerprint=fingerprint,
        manifest=kept,
        by=keys.identity.lct.id,
        key=keys.identity.public_key,
        made_ns=now_ns,
        chunks=len(kept.line),
    )
    total = hashlib.sha256()
    written = 0

    def put(data: bytes) -> None:
        nonlocal written
        file.write(data)
        total.update(data)
        written += len(data)

    put(_PREFIX.pack(MAGIC, VERSION))
    put(_framed(msgspec.msgpack.encode(head)))
    for chunk in kept.line:
        put(_framed(msgspec.msgpack.encode(_record(vault.read_chunk(chunk.address, fingerprint)))))
    put(_framed(keys.identity.sign(total.digest())))
    return written


def restore(vault: Vault, file: BinaryIO, name: str = "") -> Manifest:
    """Take the conversation into the vault, sealed under its keys; `name` is what to call it, as before if empty.

    Nothing is written before the signature over all of it has been checked, and the key with the name of its host.
    Raises Unreadable with the reason, OSError.
    """
    check(file)
    reader = _Reader(file)
    head = _read_head(reader)
    word = model_word(head.fingerprint)
    line: list[KeptChunk] = []
    before = b""
    start = 0
    with vault.alone():
        for number in range(head.chunks):
            record = decoded(reader.frame(f"chunk {number}"), Record, f"chunk {number}")
            _check_record(record, start, f"chunk {number}", last=number == head.chunks - 1)
            start += len(record.ids)
            content = _content(record, head, line[-1].address if line else "")
            before = vault.line_name(before, record.ids)
            line.append(KeptChunk(vault.write_chunk(word, content, before), record.ids, record.exactness))
        kept = msgspec.structs.replace(head.manifest, name=name or head.manifest.name, line=line)
        vault.write_session(head.fingerprint, word, kept)
    return kept


def check(file: BinaryIO) -> Head:
    """Read it through, and go back to its beginning. Raises Unreadable unless it is whole and signed as it says."""
    reader = _Reader(file)
    head = _read_head(reader)
    for number in range(head.chunks):
        reader.frame(f"chunk {number}")
    said = reader.total.digest()
    try:
        verify(head.key, said, reader.frame("its signature"))
    except SealError as error:
        raise Unreadable("its signature is wrong: it was changed after it was exported") from error
    if not binds(head.by, head.key):
        raise Unreadable(f"its key is not that of {head.by}")
    if file.read(1):
        raise Unreadable("more follows after its end")
    file.seek(0)
    return head


class _Reader:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.total = hashlib.sha256()

    def take(self, count: int, what: str) -> bytes:
        data = self._file.read(count)
        if len(data) != count:
            raise Unreadable(f"cut off: {what} is missing or not whole")
        self.total.update(data)
        return data

    def frame(self, what: str) -> bytes:
        (length,) = _LENGTH.unpack(self.take(_LENGTH.size, what))
        return self.take(length, what)


def _read_head(reader: _Reader) -> Head:
    magic, version = _PREFIX.unpack(reader.take(_PREFIX.size, "its beginning"))
    if magic != MAGIC:
        raise Unreadable("not an exported conversation: it begins otherwise")
    if version != VERSION:
        raise Newer(version, VERSION)
    return decoded(reader.frame("its head"), Head, "its head")


def _record(content: Content) -> Record:
    return Record(
        ids=list(content.ids),
        exactness=content.exactness,
        size=content.size,
        dtype=content.dtype,
        shape=content.shape,
        start=content.start,
        model=content.model,
        layers=packed_layers(content),
        codec=content.codec,
    )


def _check_record(record: Record, start: int, what: str, *, last: bool) -> None:
    """Raises Unreadable unless it is what follows `start` tokens."""
    tokens, shape = len(record.ids), record.shape
    if len(shape) != 5 or min(shape) < 1 or shape[1] != 2:
        raise Unreadable(f"{what} is nothing in the shape {shape}")
    if record.codec in lossless.NAMES and len(record.layers) != shape[0]:
        raise Unreadable(f"{what} has {len(record.layers)} layers in the shape {shape}")
    if record.start != start or shape[3] != tokens or tokens > record.size or (tokens < record.size and not last):
        raise Unreadable(f"{what} has {tokens} of {record.size} ids from {record.start} on in the shape {shape}")
    if prod(shape[1:]) * item_bytes(record.dtype) > _MOST_LAYER:
        raise Unreadable(f"{what} is too large: the shape {shape}")
    if not 0 <= min(record.ids) <= max(record.ids) < 1 << 31:
        raise Unreadable(f"{what} has ids that no tokenizer has")
    try:
        exactness(record.exactness)
    except ValueError as error:
        raise Unreadable(f"{what}: {error}") from error


def _content(record: Record, head: Head, parent: str) -> Content:
    item = item_bytes(record.dtype)
    size = item
    for length in record.shape[1:]:
        size *= length
    try:
        layers = record.layers
        if record.codec in lossless.NAMES:
            layers = [lossless.decode(record.codec, layer, size, item) for layer in record.layers]
    except ValueError as error:
        raise Unreadable(f"a layer does not unpack: {error}") from error
    return Content(
        fingerprint=head.fingerprint,
        exactness=record.exactness,
        size=record.size,
        dtype=record.dtype,
        shape=record.shape,
        parent=parent,
        ids=record.ids,
        start=record.start,
        model=record.model,
        layers=layers,
        codec=record.codec,
        origin=head.by,
    )


def _framed(data: bytes) -> bytes:
    return _LENGTH.pack(len(data)) + data
