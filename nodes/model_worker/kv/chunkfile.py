"""The file of one chunk of attention state. No torch.

    bytes       what
    8           magic b"SAGEKV\\r\\n"
    2           version, little endian
    4           length of the public header, little endian
    ...         public header, msgpack: fingerprint, class, codec, dtype, shape, parent, salt, lengths of what follows
    ...         private header, sealed: token ids, where they start, who made it when, signature
    ...         the layers one after the other, each packed (`codec`) and sealed by itself, so that they can be streamed
                (a lossy codec's parts likewise)

Every file is sealed under a key of its own, derived from the host's secret and the salt (AES-256-GCM). All that comes
before a sealed part is bound to it, and so is its number: nothing of a file can be changed, cut, or taken from another
one. The address is a keyed hash over everything that decides the content, the parent's address among it; so it names
the whole conversation up to here, and tells nobody without the key which one.
"""

import hashlib
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from nodes.model_worker.kv.codecs import lossless
from nodes.model_worker.kv.exactness import exactness
from protocol.errors import SealError
from runtime.identity import HostIdentity, verify
from runtime.sealing import Sealer, derived_key

T = TypeVar("T")
MAGIC, VERSION = b"SAGEKV\r\n", 1
PURPOSE = "attention state"
_PREFIX = struct.Struct("<8sHI")
_SALT_BYTES, _ADDRESS_BYTES = 16, 20
_MOST_HEADER = 1 << 20


class Unreadable(Exception):
    """Why a file is not a chunk that can be used."""


class Newer(Unreadable):
    """A file of a later version of this program: it stays where it is, for that."""

    def __init__(self, version: int, known: int) -> None:
        super().__init__(f"written in version {version}, this program reads {known}")


class OutOfReach(Unreadable):
    """A file that the system does not read now: nothing is known of what it is, so it stays where it is."""

    def __init__(self, error: OSError) -> None:
        gone = isinstance(error, FileNotFoundError)
        super().__init__("it is gone" if gone else f"it cannot be read: {error.strerror or error}")


class Public(msgspec.Struct, frozen=True, kw_only=True):
    """What anybody may read."""

    fingerprint: dict[str, str]
    """Part of the model → digest: weights, config, tokenizer, template, dtype, and the arithmetic of the machine."""
    exactness: str
    size: int
    """Tokens of a whole chunk."""
    dtype: str
    shape: list[int]
    """[layers, 2, kv_heads, tokens, head_dim], keys before values."""
    codec: str
    parent: str
    """Address of the chunk before; "" for the first."""
    salt: bytes
    private: int
    """Bytes of the private header."""
    layers: list[int]
    """Bytes of each layer, or of each part that a lossy codec made."""


class Private(msgspec.Struct, frozen=True, kw_only=True):
    """What only the host may read."""

    ids: list[int]
    start: int
    """Of the first token in the conversation."""
    digest: bytes
    """SHA-256 of the layers, unpacked; of a lossy codec's parts as they are."""
    by: str
    """LCT of the host that computed it."""
    key: bytes
    """Its public key."""
    made_ns: int
    """Wall time."""
    model: str
    origin: str
    """LCT of the host it was imported from; "" where it was computed here."""
    signature: bytes
    """Ed25519, over the address, `by`, `made_ns`, `model` and `origin`."""


@dataclass(frozen=True)
class Content:
    """What is put into a file, and comes out."""

    fingerprint: dict[str, str]
    exactness: str
    size: int
    dtype: str
    shape: list[int]
    parent: str
    ids: Sequence[int]
    start: int
    model: str
    origin: str = field(default="", kw_only=True)
    """LCT of the host it was imported from."""
    layers: list[bytes]
    """Of each layer [2, kv_heads, tokens, head_dim] in C order; the parts that a lossy codec made of them."""
    codec: str = lossless.NAME

    @property
    def lossy(self) -> bool:
        return self.codec not in lossless.NAMES


class Keys:
    """What a host needs to write and read chunks: names, seals and its hand."""

    def __init__(self, identity: HostIdentity) -> None:
        self.identity = identity
        self._secret = identity.sealing_secret
        self._naming = derived_key(self._secret, f"naming/{PURPOSE}")

    def sealer(self, salt: bytes) -> Sealer:
        return Sealer(self._secret, f"{PURPOSE}/{salt.hex()}")

    def name(self, *parts: bytes) -> bytes:
        """A keyed hash over the parts, each told from the next (BLAKE2b)."""
        total = hashlib.blake2b(key=self._naming, digest_size=_ADDRESS_BYTES)
        for part in parts:
            total.update(len(part).to_bytes(8, "little") + part)
        return total.digest()


def pack(keys: Keys, content: Content, made_ns: int) -> tuple[str, bytes]:
    """(address, the file)."""
    digest = _digest(content.layers)
    name = _address(keys, content, content.ids, content.start, digest)
    salt = os.urandom(_SALT_BYTES)
    sealer = keys.sealer(salt)
    identity = keys.identity
    by = identity.lct.id
    private = msgspec.msgpack.encode(
        Private(
            ids=list(content.ids),
            start=content.start,
            digest=digest,
            by=by,
            key=identity.public_key,
            made_ns=made_ns,
            model=content.model,
            origin=content.origin,
            signature=identity.sign(_statement(name, by, made_ns, content.model, content.origin)),
        )
    )
    packed = packed_layers(content)
    overhead = len(sealer.seal(b"", b""))
    public = Public(
        fingerprint=content.fingerprint,
        exactness=content.exactness,
        size=content.size,
        dtype=content.dtype,
        shape=content.shape,
        codec=content.codec,
        parent=content.parent,
        salt=salt,
        private=len(private) + overhead,
        layers=[len(layer) + overhead for layer in packed],
    )
    header = msgspec.msgpack.encode(public)
    head = _PREFIX.pack(MAGIC, VERSION, len(header)) + header
    sealed = [sealer.seal(part, _bound(head, number)) for number, part in enumerate([private, *packed])]
    return name.hex(), head + b"".join(sealed)


def read_public(data: bytes) -> tuple[Public, int]:
    """(public header, where it ends). Raises Unreadable."""
    if len(data) < _PREFIX.size:
        raise Unreadable(f"{len(data)} bytes, too few for a header")
    magic, version, length = _PREFIX.unpack_from(data)
    if magic != MAGIC:
        raise Unreadable("not a chunk of attention state: it begins otherwise")
    if version != VERSION:
        raise Newer(version, VERSION)
    end = _PREFIX.size + length
    if length > _MOST_HEADER or end > len(data):
        raise Unreadable(f"cut off: its header has {length} bytes, the file {len(data)}")
    return decoded(data[_PREFIX.size : end], Public, "its header"), end


def read_private(keys: Keys, data: bytes) -> tuple[Public, Private]:
    """Both headers, checked and signed by the host whose key it names. Raises Unreadable."""
    public, end = read_public(data)
    private = _open_private(keys, data, public, end)
    name = _named(keys, public, private)
    try:
        said = _statement(name, private.by, private.made_ns, private.model, private.origin)
        verify(private.key, said, private.signature)
    except SealError as error:
        raise Unreadable(f"its signature is wrong: {error}") from error
    return public, private


def unpack(keys: Keys, data: bytes, name: str) -> Content:
    """All of the file that is to have this address. Raises Unreadable with the reason."""
    public, end = read_public(data)
    private = _open_private(keys, data, public, end)
    if _named(keys, public, private).hex() != name:
        raise Unreadable("it is another chunk than its name says")
    sealer, head = keys.sealer(public.salt), data[:end]
    sizes = _sizes(public)
    at = end + public.private
    if at + sum(public.layers) != len(data):
        raise Unreadable(f"{len(data)} bytes instead of {at + sum(public.layers)}")
    lossy = public.codec not in lossless.NAMES
    if not lossy and len(public.layers) != public.shape[0]:
        raise Unreadable(f"{len(public.layers)} layers instead of {public.shape[0]}")
    layers = []
    for number, length in enumerate(public.layers, start=1):
        packed = _opened(sealer, data[at : at + length], _bound(head, number), f"layer {number}")
        at += length
        try:
            layers.append(packed if lossy else lossless.decode(public.codec, packed, sizes, item_bytes(public.dtype)))
        except ValueError as error:
            raise Unreadable(f"layer {number} does not unpack: {error}") from error
    if _digest(layers) != private.digest:
        raise Unreadable("its layers are not those it was made of")
    return Content(
        fingerprint=public.fingerprint,
        exactness=public.exactness,
        size=public.size,
        dtype=public.dtype,
        shape=public.shape,
        parent=public.parent,
        ids=private.ids,
        start=private.start,
        model=private.model,
        origin=private.origin,
        layers=layers,
        codec=public.codec,
    )


def packed_layers(content: Content) -> list[bytes]:
    """As they are written: lossless ones made small, the parts of a lossy codec as they are."""
    if content.lossy:
        return content.layers
    return [lossless.encode(content.codec, layer, item_bytes(content.dtype)) for layer in content.layers]


def decoded(data: bytes, kind: type[T], what: str) -> T:
    """A part of a file as the struct it is to be. Raises Unreadable."""
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(f"{what} is spoiled: {error}") from error


def item_bytes(dtype: str) -> int:
    """Bytes of one number. Raises Unreadable for a dtype that state is never kept in."""
    try:
        return {"bfloat16": 2, "float16": 2, "float32": 4}[dtype]
    except KeyError:
        raise Unreadable(f"its numbers are {dtype!r}") from None


def _open_private(keys: Keys, data: bytes, public: Public, end: int) -> Private:
    _check(public)
    part = data[end : end + public.private]
    plain = _opened(keys.sealer(public.salt), part, _bound(data[:end], 0), "its private header")
    return decoded(plain, Private, "its private header")


def _check(public: Public) -> None:
    if len(public.shape) != 5 or min(public.shape) < 1:
        raise Unreadable(f"its shape is {public.shape}")
    try:
        exactness(public.exactness)
    except ValueError as error:
        raise Unreadable(str(error)) from error
    item_bytes(public.dtype)


def _opened(sealer: Sealer, part: bytes, bound: bytes, what: str) -> bytes:
    try:
        return sealer.open(part, bound)
    except SealError as error:
        raise Unreadable(f"{what} does not open: changed, cut off, or sealed under another key") from error


def _sizes(public: Public) -> int:
    """Bytes of one layer, unpacked."""
    _, both, heads, tokens, dim = public.shape
    return both * heads * tokens * dim * item_bytes(public.dtype)


def _named(keys: Keys, public: Public, private: Private) -> bytes:
    return _address(keys, public, private.ids, private.start, private.digest)


def _address(keys: Keys, of: Content | Public, ids: Sequence[int], start: int, digest: bytes) -> bytes:
    kind = (sorted(of.fingerprint.items()), of.exactness, of.size, of.dtype, of.shape, of.parent, list(ids), start)
    # The bits that a lossless codec gives back are the same, whichever it is.
    by = () if of.codec in lossless.NAMES else (of.codec.encode(),)
    return keys.name(msgspec.msgpack.encode(kind), digest, *by)


def _digest(layers: Sequence[bytes]) -> bytes:
    total = hashlib.sha256()
    for layer in layers:
        total.update(layer)
    return total.digest()


def _bound(head: bytes, number: int) -> bytes:
    return hashlib.sha256(head).digest() + number.to_bytes(4, "little")


def _statement(name: bytes, by: str, made_ns: int, model: str, origin: str) -> bytes:
    return b"sage attention state\0" + msgspec.msgpack.encode((name, by, made_ns, model, origin))
