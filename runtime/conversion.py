"""From a tree with lines to typed values, strictly. msgspec itself converts as strictly, but forgets the place.

Read here: Struct (also tagged unions), dict, list, tuple, set, Literal, Enum, Optional and unions, the scalars, Path,
Any, `Duration` and `Size`, and the constraints of `msgspec.Meta`.
"""

import enum
import types
import typing
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, Literal, NoReturn, Union

import msgspec

from runtime.units import parse_duration, parse_size
from runtime.yamltree import Item, shorten

NoneType = type(None)
_WORD_FOR = {str: "text", int: "a whole number", float: "a number", bool: "true or false", NoneType: "null"}
_QUANTITIES: dict[str, tuple[Callable[[str], Any], str]] = {
    "duration": (parse_duration, "1.5s"),
    "size": (parse_size, "512MiB"),
}


class Mismatch(Exception):
    """A value is not of the type asked for. `path` grows from the inside out while the error rises.

    It never leaves `runtime.config`, which turns it into a ConfigError.
    """

    def __init__(self, message: str, item: Item) -> None:
        super().__init__(message)
        self.item = item
        self.path: tuple[str | int, ...] = ()


def convert_item(item: Item, type_: Any) -> Any:
    """`item` as a `type_`, or Mismatch."""
    origin = typing.get_origin(type_)
    if origin is typing.Annotated:
        return _annotated(item, type_)
    if type_ is Any:
        return item.plain()
    if origin is Literal:
        return _choice(item, {value: value for value in typing.get_args(type_)})
    if origin in (Union, types.UnionType):
        return _union(item, typing.get_args(type_))
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        return _struct(item, type_)
    if isinstance(type_, type) and issubclass(type_, enum.Enum):
        return _choice(item, {member.value: member for member in type_})
    if type_ in _WORD_FOR:
        return _scalar(item, type_)
    if type_ is Path:
        return Path(_scalar(item, str))
    return _collection(item, origin or type_, typing.get_args(type_))


def suggest(word: object, options: Iterable[object]) -> str:
    """`; did you mean 'always'?` when one of `options` is close to `word`, else nothing."""
    import difflib

    close = difflib.get_close_matches(str(word)[:80], [str(option) for option in options], n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _struct(item: Item, type_: type[msgspec.Struct]) -> Any:
    if not isinstance(item.value, dict):
        _refuse(item, f"a mapping with the keys {', '.join(_fields(type_)) or '(none)'}")
    fields = _fields(type_)
    tag_field = type_.__struct_config__.tag_field
    for key, part in item.value.items():
        if key not in fields and key != tag_field:
            known = suggest(key, fields) or f"; known here: {', '.join(fields)}"
            raise _inside(key, Mismatch(f"no such key{known}", part))
    values: dict[str, Any] = {}
    for key, field in fields.items():
        if key in item.value:
            values[field.name] = _member(item.value[key], field.type, key)
        elif field.required:
            raise Mismatch(f"the key {key!r} is missing", item)
    try:
        return type_(**values)
    except (ValueError, TypeError) as error:  # a __post_init__ that checks how fields go together
        raise Mismatch(str(error), item) from error


@cache
def _fields(type_: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    return {field.encode_name: field for field in msgspec.structs.fields(type_)}


def _member(item: Item, type_: Any, key: str | int) -> Any:
    try:
        return convert_item(item, type_)
    except Mismatch as error:
        raise _inside(key, error) from error.__cause__


def _inside(key: str | int, error: Mismatch) -> Mismatch:
    error.path = (key, *error.path)
    return error


def _collection(item: Item, kind: Any, parameters: tuple[Any, ...]) -> Any:
    if kind in (dict, typing.Mapping):
        return _mapping(item, *(parameters or (Any, Any)))
    if kind in (list, set, frozenset, tuple):
        if not isinstance(item.value, list):
            _refuse(item, "a list")
        if kind is tuple and parameters and parameters[-1] is not Ellipsis:
            if len(item.value) != len(parameters):
                raise Mismatch(f"{len(item.value)} values, {len(parameters)} were expected", item)
            return tuple(_member(part, of, i) for i, (part, of) in enumerate(zip(item.value, parameters, strict=True)))
        of = parameters[0] if parameters else Any
        return kind(_member(part, of, i) for i, part in enumerate(item.value))
    return _by_msgspec(item.plain(), kind, item)


def _mapping(item: Item, key_type: Any, value_type: Any) -> dict[Any, Any]:
    if not isinstance(item.value, dict):
        _refuse(item, "a mapping")
    return {
        _member(Item(key, part.line, part.file), key_type, key): _member(part, value_type, key)
        for key, part in item.value.items()
    }


def _annotated(item: Item, type_: Any) -> Any:
    base, *notes = typing.get_args(type_)
    for note in notes:
        if isinstance(note, msgspec.Meta) and note.extra and "unit" in note.extra:
            return _quantity(item, note.extra["unit"])
    value = convert_item(item, base)
    for note in notes:
        if isinstance(note, msgspec.Meta):
            _by_msgspec(value, typing.Annotated[base, note], item, note.description)
    return value


def _quantity(item: Item, unit: str) -> Any:
    parse, example = _QUANTITIES[unit]
    if not isinstance(item.value, str):
        _refuse(item, f"a {unit} with its unit, such as {example}")
    try:
        return parse(item.value)
    except ValueError as error:
        raise Mismatch(f"{shorten(item.value)}: {error}", item) from error


def _choice(item: Item, options: dict[Any, Any]) -> Any:
    value = item.value
    if not isinstance(value, (dict, list)):
        for option, meant in options.items():
            if option == value and type(option) is type(value):
                return meant
    shown = show(item)
    listed = ", ".join(str(option) for option in options)
    raise Mismatch(f"{shown} is not one of {listed}{suggest(value, options)}", item)


def _union(item: Item, members: tuple[Any, ...]) -> Any:
    if item.value is None and NoneType in members:
        return None
    candidates = [member for member in members if member is not NoneType]
    if tagged := _tagged(item, candidates):
        return convert_item(item, tagged)
    if isinstance(item.value, (bool, int)) and type(item.value) in candidates:
        return item.value  # before float, which would take an int
    refusals: list[Mismatch] = []
    for candidate in candidates:
        try:
            return convert_item(item, candidate)
        except Mismatch as error:
            refusals.append(error)
    # The member that read furthest into the value is the one that was meant.
    deepest = max(refusals, key=lambda refusal: len(refusal.path))
    if deepest.path or len(refusals) == 1:
        raise deepest
    raise Mismatch(" or ".join(dict.fromkeys(str(refusal) for refusal in refusals)), item)


def _tagged(item: Item, candidates: list[Any]) -> Any:
    """The struct of a tagged union that `item` names, None if the union is not tagged."""
    configs = {c.__struct_config__.tag: c for c in candidates if hasattr(c, "__struct_config__")}
    field = next((c.__struct_config__.tag_field for c in configs.values()), None)
    if field is None or not isinstance(item.value, dict):
        return None
    if field not in item.value:
        raise Mismatch(f"the key {field!r} is missing: one of {', '.join(map(str, configs))}", item)
    try:
        return _choice(item.value[field], configs)
    except Mismatch as error:
        raise _inside(field, error) from None


def _scalar(item: Item, type_: Any) -> Any:
    value = item.value
    if type_ is float and type(value) is int:
        return float(value)
    if type(value) is not type_:
        _refuse(item, _WORD_FOR[type_])
    return value


def _by_msgspec(value: Any, type_: Any, item: Item, description: str | None = None) -> Any:
    try:
        return msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        if description:
            raise Mismatch(f"{show(item)} is not {description}", item) from error
        expected = str(error).split(" - at ")[0].replace("`", "").lower()
        raise Mismatch(f"{show(item)}: {expected}", item) from error


def _refuse(item: Item, expected: str) -> NoReturn:
    hint = ""
    if expected == _WORD_FOR[str] and isinstance(item.value, (int, float, bool)):
        hint = "; put it in quotes"
    if expected == _WORD_FOR[bool] and str(item.value).lower() in ("yes", "on", "no", "off"):
        hint = f"; did you mean {str(str(item.value).lower() in ('yes', 'on')).lower()}?"
    raise Mismatch(f"{show(item)} is not {expected}{hint}", item)


def show(item: Item) -> str:
    """The value as its file writes it, on one line."""
    if isinstance(item.value, dict):
        return "a mapping"
    if isinstance(item.value, list):
        return "a list"
    if isinstance(item.value, str):
        return shorten(item.value)
    if item.value is None:
        return "nothing"
    return str(item.value).lower() if isinstance(item.value, bool) else repr(item.value)
