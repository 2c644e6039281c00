"""The index of learned weights: every version there was, and what it is now. One file, replaced atomically."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from nodes.dream_consolidator.adapters.lineage import LineageBook, Made
from protocol.errors import ConfigError
from protocol.messages.dream import Adapter
from runtime.paths import write_atomically

State = Literal["challenger", "champion", "retired", "withdrawn"]
Moves = dict[State, tuple[State, str]]
"""From which state to which, and why."""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """Learned weights and what they are now."""

    adapter: Adapter
    state: State
    since_ns: int = 0
    share: float = 0.0
    """Of conversations, for a challenger."""
    forgotten: bool = False
    """It learned from what was forgotten since."""
    why: str = ""


class Index(msgspec.Struct, frozen=True, kw_only=True):
    format: Literal[2]
    versions: tuple[Version, ...] = ()
    """Oldest first. At most one champion and one challenger of a level."""


class _Place(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of a level, as the index had it before records were signed."""

    current: Adapter
    previous: Adapter | None = None


def changed(
    versions: Sequence[Version], level: str, moves: Mapping[State, tuple[State, str]], now_ns: int
) -> tuple[Version, ...]:
    """All versions; of `level`, those in a state named get another, with the reason."""

    def after(version: Version) -> Version:
        if version.adapter.level != level or version.state not in moves:
            return version
        state, why = moves[version.state]
        return msgspec.structs.replace(version, state=state, why=why, since_ns=now_ns, share=0.0)

    return tuple(after(version) for version in versions)


def write(path: Path, versions: Sequence[Version]) -> Index:
    index = Index(format=2, versions=tuple(versions))
    write_atomically(path, msgspec.json.format(msgspec.json.encode(index)))
    return index


def read(path: Path, book: LineageBook) -> Index:
    """The index at `path`, empty where there is none; one of the format before this is taken over.

    Raises ConfigError for one that cannot be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Index(format=2)
    try:
        return msgspec.json.decode(data, type=Index)
    except msgspec.DecodeError as error:
        if (versions := _taken_over(data, book)) is not None:
            return write(path, versions)
        raise ConfigError(
            f"does not say which learned weights are in force: {error}",
            place=str(path),
            remedy="remove the file; every level then answers with its base model",
        ) from error


def _taken_over(data: bytes, book: LineageBook) -> list[Version] | None:
    """The versions of an index of the earlier format, signed now as they are: what they learned from is not known.

    None where it is none, or where a record of anything else was ever signed here: the weights in it would otherwise be
    whatever somebody wrote into a file of the old format.
    """
    try:
        places = msgspec.json.decode(data, type=dict[str, _Place])
    except msgspec.DecodeError:
        return None
    found: dict[str, Version] = {}
    states: tuple[State, State] = ("retired", "champion")
    for place in places.values():
        for adapter, state in zip((place.previous, place.current), states, strict=True):
            if adapter is not None and adapter.digest:
                why = "taken over from the format before records were signed"
                found[adapter.dream] = Version(adapter=adapter, state=state, why=why)
    made = [(each.adapter, Made(dream=dream, base_version=each.adapter.base_version)) for dream, each in found.items()]
    return list(found.values()) if book.found(made) else None
