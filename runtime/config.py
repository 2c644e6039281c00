"""The one way to read a configuration: YAML in, a frozen msgspec Struct out, or a ConfigError that names the place.

    class Levels(msgspec.Struct, frozen=True, forbid_unknown_fields=True): ...
    levels = config.load(paths.shipped("configs/levels.yaml"), Levels)

Conversion is strict: no unknown key, no missing one, no number where a word belongs, a unit on every duration and size
(`runtime.units`). An error reads `launch/local.yaml:12: nodes.dialogue.restart: 'alwys' is not one of never,
on-failure, always; did you mean 'always'?`. Whatever the bytes of a file, nothing but a value or a ConfigError comes out.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from protocol.errors import ConfigError
from runtime.conversion import Mismatch, convert_item, suggest
from runtime.units import Duration, Size
from runtime.yamltree import Item, YamlError, grow, read

__all__ = ["ConfigError", "Document", "Duration", "Size", "convert", "from_plain", "load", "read_document", "suggest"]

T = TypeVar("T")
Key = str | int


class Document(Struct, frozen=True):
    """A file as a tree that remembers its lines; `file` is what errors call it."""

    file: str
    root: Item

    def error(self, path: Iterable[Key], message: str, *, remedy: str = "") -> ConfigError:
        """The error for what stands at `path` (or at its nearest ancestor that the file has)."""
        keys = tuple(path)
        line = self._line(keys)
        dotted = key_path(keys)
        return ConfigError(
            f"{dotted}: {message}" if dotted else message,
            place=f"{self.file}:{line}" if line else self.file,
            remedy=remedy,
            detail={"file": self.file, "line": line, "key": dotted},
        )

    def _line(self, path: tuple[Key, ...]) -> int:
        item = self.root
        for key in path:
            inside = item.value
            if isinstance(inside, dict) and key in inside:
                item = inside[str(key)]
            elif isinstance(inside, list) and isinstance(key, int) and key < len(inside):
                item = inside[key]
            else:
                break
        return item.line


def load(path: Path | str, type_: type[T]) -> T:
    """The file at `path` as a `type_`."""
    return convert(read_document(path), type_)


def read_document(path: Path | str, *, name: str = "") -> Document:
    """The file at `path` as a tree with lines. Errors call it `name`, by default `path` as given."""
    file = name or str(path)
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"cannot be read: {reason}", place=file, detail={"file": file}) from error
    return parse(data, file)


def parse(data: bytes, file: str) -> Document:
    """YAML bytes as a tree with lines; errors call it `file`."""
    try:
        return Document(file, read(data))
    except YamlError as error:
        place = f"{file}:{error.line}"
        raise ConfigError(error.message, place=place, detail={"file": file, "line": error.line}) from error


def convert(document: Document, type_: type[T], path: tuple[Key, ...] = ()) -> T:
    """The whole document as a `type_`. `path` stands before the keys in errors, for a part cut out of a larger file."""
    try:
        value: T = convert_item(document.root, type_)
    except Mismatch as error:
        dotted = key_path((*path, *error.path))
        raise ConfigError(
            f"{dotted}: {error}" if dotted else str(error),
            place=f"{document.file}:{error.line}" if error.line else document.file,
            detail={"file": document.file, "line": error.line, "key": dotted},
        ) from error
    return value


def from_plain(value: Any, type_: type[T], source: str) -> T:
    """Plain values, as JSON gives them, as a `type_` by the same rules; errors name `source` instead of a file."""
    try:
        root = grow(value)
    except ValueError as error:
        raise ConfigError(str(error), place=source) from error
    return convert(Document(source, root), type_)


def key_path(keys: Iterable[Key]) -> str:
    """`nodes.dialogue.after[0]` from its parts."""
    dotted = ""
    for key in keys:
        dotted += f"[{key}]" if isinstance(key, int) else f".{key}" if dotted else key
    return dotted
