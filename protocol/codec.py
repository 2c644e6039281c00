"""Messages to bytes and back. Everything that arrives is suspect; what is refused is refused by name."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from protocol.errors import FutureVersion, Malformed, Oversized, UnknownVersion
from protocol.header import BODY_LIMIT, FRAME_LIMIT, OLDEST_READABLE, WIRE_VERSION, Draft, Envelope

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder()
_envelope_decoder = msgspec.msgpack.Decoder(Envelope)


class _OnlyVersion(msgspec.Struct):
    version: int


_version_decoder = msgspec.msgpack.Decoder(_OnlyVersion)


_decoders: dict[type[Any], msgspec.msgpack.Decoder[Any]] = {}


def _decoder(body_type: type[T]) -> msgspec.msgpack.Decoder[T]:
    decoder = _decoders.get(body_type)
    if decoder is None:
        decoder = _decoders[body_type] = msgspec.msgpack.Decoder(body_type)
    return decoder


def encode(draft: Draft) -> bytes:
    """The message as one msgpack map. Raises `Oversized` where it must travel by reference instead."""
    frame = _encoder.encode(draft)
    if len(frame) > BODY_LIMIT:
        _refuse_large_body(draft, frame)
    return frame


def _refuse_large_body(draft: Draft, frame: bytes) -> None:
    body_size = len(_encoder.encode(draft.body))
    if body_size > BODY_LIMIT:
        raise Oversized(
            f"a body of {body_size} bytes is over the limit of {BODY_LIMIT} bytes for inline bodies",
            place=draft.name,
            remedy="store it with `bulk.put` and send the reference",
        )
    if len(frame) > FRAME_LIMIT:
        raise Oversized(f"a header of {len(frame) - body_size} bytes is not credible", place=draft.name)


def decode(frame: bytes) -> Envelope:
    """The header of a message, its body still unread.

    Raises `Oversized`, `Malformed`, `UnknownVersion` or `FutureVersion`.
    """
    if len(frame) > FRAME_LIMIT:
        raise Oversized(f"a message of {len(frame)} bytes is over the limit of {FRAME_LIMIT} bytes")
    try:
        envelope = _envelope_decoder.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _check_version(_peek_version(frame))
        raise Malformed(f"not a message: {error}") from error
    if envelope.version != WIRE_VERSION:
        _check_version(envelope.version)
    if len(envelope.body) > BODY_LIMIT:
        raise Oversized(f"a body of {len(envelope.body)} bytes is over the limit of {BODY_LIMIT}", place=envelope.name)
    return envelope


def _peek_version(frame: bytes) -> int:
    """The version a message claims, even where the rest of it cannot be read; ours where it claims none."""
    try:
        return _version_decoder.decode(frame).version
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return WIRE_VERSION


def _check_version(version: int) -> None:
    if version > WIRE_VERSION:
        raise FutureVersion(
            f"written in wire version {version}, this program reads up to {WIRE_VERSION}", remedy="upgrade this program"
        )
    if version < OLDEST_READABLE:
        raise UnknownVersion(f"wire version {version} is older than {OLDEST_READABLE}, the oldest that is still read")


def decode_body(envelope: Envelope, body_type: type[T]) -> T:
    """The body as `body_type`; fields it does not know are ignored, missing ones take their defaults."""
    return decode_as(envelope.body, body_type, place=envelope.name)


def decode_as(raw: bytes | msgspec.Raw, body_type: type[T], *, place: str = "") -> T:
    """`raw` msgpack as `body_type`; raises `Malformed`, naming the field that is wrong."""
    try:
        return _decoder(body_type).decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"not a {body_type.__name__}: {error}", place=place) from error


def encode_body(body: Any) -> bytes:
    """A body alone, as it is stored or hashed."""
    return _encoder.encode(body)
