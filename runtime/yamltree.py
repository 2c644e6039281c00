"""YAML as a tree that remembers its lines.

The subset is chosen for files that people write and machines must not misread: one document, string keys, no duplicate
key, no tag, no anchor or alias, the scalars of YAML 1.2 (so `no` is a word, not false). The tree is built from the
event stream, so neither depth nor size of hostile input reaches Python's stack.
"""

import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

Scalar = str | int | float | bool | None

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_INTEGER = 2**63 - 1

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)", re.ASCII)
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]{1,16}", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+", re.ASCII)
_UNUSABLE = re.compile("[\0\ud800-\udfff]")
"""What escapes can smuggle in, but neither an environment, nor a path, nor UTF-8 can hold."""
_WORDS: dict[str, Scalar] = {"": None, "~": None, "null": None, "true": True, "false": False}


class Item(Struct, frozen=True):
    """One value of the tree, the file it stands in, and the line it begins on (1-based; 0 if it is no real file)."""

    value: "Scalar | list[Item] | dict[str, Item]"
    line: int = 0
    file: str = ""

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file

    def plain(self) -> Any:
        """The value without lines."""
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value


class YamlError(Exception):
    """The text is not in our subset of YAML. `line` is 1-based."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


def read(data: bytes, file: str) -> Item:
    """The tree of one YAML document, called `file`. YamlError for anything else, whatever the bytes."""
    import yaml

    text = _text(data)
    try:
        events = _Events(yaml.parse(text, Loader=yaml.SafeLoader), file)
        item = events.document()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlError(line, f"character U+{error.character:04X} is not allowed") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise YamlError(line, " ".join(filter(None, (error.context, error.problem)))) from error
    except (ValueError, OverflowError) as error:  # PyYAML turns "\\UFFFFFFFF" into a character without asking
        raise YamlError(1, f"an escape sequence names no character ({error})") from error
    return item


def grow(value: Any, source: str) -> Item:
    """A tree from plain values, as JSON gives them; places name `source`. ValueError for what no file could hold."""
    if isinstance(value, dict):
        if wrong := next((key for key in value if not isinstance(key, str)), None):
            raise ValueError(f"key {wrong!r} is not a string")
        return Item({key: grow(part, source) for key, part in value.items()}, file=source)
    if isinstance(value, (list, tuple)):
        return Item([grow(part, source) for part in value], file=source)
    if value is None or isinstance(value, (str, bool, int, float)):
        return Item(value, file=source)
    raise ValueError(f"a {type(value).__name__} has no place in a configuration")


def scalar(text: str) -> Scalar:
    """What an unquoted word means by the core schema of YAML 1.2. ValueError if it is a number out of range."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        # Digits beyond int64's are counted before int(), whose cost grows with their square.
        if len(text) > len(str(MAX_INTEGER)) + 1 or abs(int(text)) > MAX_INTEGER:
            raise ValueError("that number is too large")
        return int(text)
    if _HEXADECIMAL.fullmatch(text):
        return int(text, 16)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise ValueError("that number is too large")
        return number
    return text


def _text(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise YamlError(1, f"the file has {len(data)} bytes, at most {MAX_BYTES} are read")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise YamlError(line, f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8") from error


class _Events:
    """Builds items from YAML's events, depth bounded by MAX_DEPTH. PyYAML leaves its events untyped, hence Any."""

    def __init__(self, events: Iterator[Any], file: str) -> None:
        self._events = events
        self._file = file

    def document(self) -> Item:
        import yaml

        next(self._events)  # the start of the stream
        if isinstance(next(self._events), yaml.StreamEndEvent):
            raise YamlError(1, "the file is empty")
        item = self._item(next(self._events), depth=0)
        next(self._events)  # the end of the document
        if not isinstance(after := next(self._events), yaml.StreamEndEvent):
            raise YamlError(_line(after), "a second document begins here; one file holds one")
        return item

    def _item(self, event: Any, depth: int) -> Item:
        import yaml

        line = _line(event)
        if depth > MAX_DEPTH:
            raise YamlError(line, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent):
            raise YamlError(line, f"alias *{event.anchor}: aliases are not read; write the value out, or use args")
        if event.anchor is not None:
            raise YamlError(line, f"anchor &{event.anchor}: anchors are not read; write the value out, or use args")
        if event.tag is not None:
            raise YamlError(line, f"tag {event.tag}: tags are not read; leave it out")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(line, depth)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(line, depth)
        if wrong := _UNUSABLE.search(event.value):
            raise YamlError(line, f"{shorten(event.value)}: U+{ord(wrong[0]):04X} is not allowed")
        if event.style is not None:  # quoted or a block: text as it stands
            return Item(event.value, line, self._file)
        try:
            return Item(scalar(event.value), line, self._file)
        except ValueError as error:
            raise YamlError(line, f"{shorten(event.value)}: {error}") from error

    def _mapping(self, line: int, depth: int) -> Item:
        import yaml

        items: dict[str, Item] = {}
        lines: dict[str, int] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._item(event, depth + 1)
            if not isinstance(key.value, str):
                shown = event.value if isinstance(event, yaml.ScalarEvent) else "a collection"
                raise YamlError(key.line, f"key {shorten(shown)}: keys are strings; put it in quotes")
            if key.value in items:
                first = lines[key.value]
                raise YamlError(key.line, f"key {shorten(key.value)} stands here twice (first in line {first})")
            value = self._item(next(self._events), depth + 1)
            lines[key.value] = key.line
            # The key's line: that is where a reader looks for `key: {…}`, also when the value begins further down.
            items[key.value] = Item(value.value, key.line, self._file)
        return Item(items, line, self._file)

    def _sequence(self, line: int, depth: int) -> Item:
        import yaml

        items: list[Item] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._item(event, depth + 1))
        return Item(items, line, self._file)


def shorten(text: str, limit: int = 60) -> str:
    """`text` in quotes on one line, cut to `limit` characters."""
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1
