"""The one way to read a configuration: YAML in, a frozen msgspec Struct out, or a ConfigError that names the place.

    class Levels(msgspec.Struct, frozen=True, forbid_unknown_fields=True): ...
    levels = config.load(paths.shipped("configs/levels.yaml"), Levels)

Conversion is strict: no unknown key, no missing one, no number where a word belongs, a unit on every duration and size
(`runtime.units`). An error reads `launch/local.yaml:12: nodes.dialogue.restart: 'alwys' is not one of never,
on-failure, always; did you mean 'always'?`. Whatever the bytes of a file, only a value or a ConfigError comes out.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from protocol.errors import ConfigError
from runtime.conversion import Mismatch, convert_item, suggest
from runtime.units import Duration, Size
from runtime.yamltree import Item, YamlError, grow, read

__all__ = ["ConfigError", "Duration", "Item", "Size", "convert", "error_at", "from_plain", "load", "parse", "suggest"]

T = TypeVar("T")
Key = str | int


def load(path: Path | str, type_: type[T]) -> T:
    """The file at `path` as a `type_`."""
    return convert(read_tree(path), type_)


def read_tree(path: Path | str, *, name: str = "") -> Item:
    """The file at `path` as a tree with lines. Errors call it `name`, by default `path` as given."""
    file = name or str(path)
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"cannot be read: {reason}", place=file, detail={"file": file}) from error
    return parse(data, file)


def parse(data: bytes, file: str) -> Item:
    """YAML bytes as a tree with lines; errors call it `file`."""
    try:
        return read(data, file)
    except YamlError as error:
        place = f"{file}:{error.line}"
        raise ConfigError(error.message, place=place, detail={"file": file, "line": error.line}) from error


def convert(item: Item, type_: type[T], path: Iterable[Key] = ()) -> T:
    """The tree as a `type_`. `path` stands before the keys in errors, for a part cut out of a larger tree."""
    try:
        value: T = convert_item(item, type_)
    except Mismatch as error:
        raise error_at(error.item, (*path, *error.path), str(error)) from error
    return value


def from_plain(value: Any, type_: type[T], source: str) -> T:
    """Plain values, as JSON gives them, as a `type_` by the same rules; errors name `source` instead of a file."""
    try:
        root = grow(value, source)
    except ValueError as error:
        raise ConfigError(str(error), place=source) from error
    return convert(root, type_)


def error_at(item: Item, path: Iterable[Key], message: str, *, remedy: str = "") -> ConfigError:
    """The error for `item`, which stands at `path` in its file."""
    key = key_path(path)
    return ConfigError(
        f"{key}: {message}" if key else message,
        place=item.place,
        remedy=remedy,
        detail={"file": item.file, "line": item.line, "key": key},
    )


def key_path(keys: Iterable[Key]) -> str:
    """`nodes.dialogue.after[0]` from its parts."""
    dotted = ""
    for key in keys:
        dotted += f"[{key}]" if isinstance(key, int) else f".{key}" if dotted else key
    return dotted
