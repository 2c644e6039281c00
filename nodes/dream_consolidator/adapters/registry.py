"""Learned weights: a folder under the digest of its weights, and one pointer file that says which are in force.

    adapters/0123456789abcdef/   a complete model folder, never changed once it is there
    adapters/current.json        level → what it answers with now, and what it answered with before

The pointer is replaced atomically: whoever reads it sees the old weights or the new ones, never a mixture.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec

from nodes.model_worker import folder as folders
from protocol.errors import ConfigError
from protocol.messages.dream import Adapter
from runtime.paths import private_directory, write_atomically


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What a level answers with. `previous` is kept, so that a promotion can be taken back."""

    current: Adapter
    previous: Adapter | None = None


class Adapters:
    """The learned weights below `root`. Only the consolidator writes."""

    def __init__(self, root: Path) -> None:
        self.root = private_directory(root)
        self._pointer = self.root / "current.json"

    def current(self, level: str) -> Adapter:
        """What the level answers with; an empty digest is the base model."""
        place = self._places().get(level)
        return place.current if place else Adapter(level=level)

    def all(self) -> list[Adapter]:
        return [place.current for place in self._places().values()]

    def promote(self, candidate: Path, level: str, *, base_version: str, dream: str) -> Adapter:
        """Take the candidate folder in and put it in force. It is moved; weights known already are not stored twice."""
        digest = folders.weights_digest(folders.open_folder(candidate))
        target = self.root / digest
        if target.exists():
            shutil.rmtree(candidate)
        else:
            _sync(candidate)
            candidate.rename(target)
        current = Adapter(level=level, digest=digest, path=str(target), base_version=base_version, dream=dream)
        places = self._places()
        places[level] = Place(current=current, previous=places[level].current if level in places else None)
        write_atomically(self._pointer, msgspec.json.format(msgspec.json.encode(places)))
        self._prune(places)
        return current

    def _places(self) -> dict[str, Place]:
        try:
            data = self._pointer.read_bytes()
        except FileNotFoundError:
            return {}
        try:
            return msgspec.json.decode(data, type=dict[str, Place])
        except msgspec.DecodeError as error:
            raise ConfigError(
                f"does not say which learned weights are in force: {error}",
                place=str(self._pointer),
                remedy="remove the file; every level then answers with its base model",
            ) from error

    def _prune(self, places: dict[str, Place]) -> None:
        """Delete weights that no level answers with, or answered with before. An open file outlives this."""
        used = {each.digest for place in places.values() for each in (place.current, place.previous) if each}
        for folder in self.root.iterdir():
            if folder.is_dir() and folder.name not in used:
                shutil.rmtree(folder)


def _sync(folder: Path) -> None:
    """Make the folder's files durable before a pointer names them."""
    for path in (*folder.iterdir(), folder):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
