"""Arguments of a launch file: declared with a type, given by `--set name=value` or by an including file."""

from collections.abc import Mapping
from typing import Any

from runtime.config import error_at, suggest
from runtime.launch.spec import Arg, Value
from runtime.units import parse_duration, parse_size
from runtime.yamltree import Item, scalar

_KINDS: dict[str, type[Any]] = {"str": str, "int": int, "float": float, "bool": bool, "duration": str, "size": str}
_PARSERS = {"duration": parse_duration, "size": parse_size}


def bind(declared: dict[str, Arg], given: Mapping[str, Item], file: Item) -> dict[str, Value]:
    """A value for every argument that `file` declares. ConfigError names the one that is unknown, missing or wrong.

    Text that was given on the command line (an Item without a line) is read as its argument's type says.
    """
    for name, item in given.items():
        if name not in declared:
            known = suggest(name, declared) or f"; it has: {', '.join(declared) or 'none'}"
            raise error_at(item, (name,), f"{file.file} has no such argument{known}")
    return {name: _value(name, arg, given.get(name), file) for name, arg in declared.items()}


def comparable(declared: dict[str, Arg], bound: Mapping[str, Value]) -> dict[str, Any]:
    """The values as `when` compares them: durations in seconds, sizes in bytes."""
    return {
        name: _PARSERS[arg.type](str(bound[name])) if arg.type in _PARSERS else bound[name]
        for name, arg in declared.items()
    }


def _value(name: str, arg: Arg, given: Item | None, file: Item) -> Value:
    item = given or _declaration(file, name)
    path = (name,) if given else ("args", name, "default")
    value = given.value if given else arg.default
    if value is None:
        raise error_at(item, ("args", name), "has no default and was not given", remedy=f"--set {name}={arg.type}")
    try:
        typed = _typed(arg, value, from_text=given is not None and not given.line)
    except ValueError as error:
        raise error_at(item, path, str(error)) from error
    if arg.choices and typed not in arg.choices:
        listed = ", ".join(str(choice) for choice in arg.choices)
        raise error_at(item, path, f"{typed!r} is not one of {listed}{suggest(typed, arg.choices)}")
    return typed


def _typed(arg: Arg, value: Any, *, from_text: bool) -> Value:
    """`value` as the argument's type. ValueError says what was expected."""
    if from_text and arg.type in ("int", "float", "bool"):
        value = scalar(value)
    if arg.type == "float" and type(value) is int:
        value = float(value)
    if type(value) is not _KINDS[arg.type]:
        raise ValueError(f"{value!r} is not of type {arg.type}")
    if arg.type in _PARSERS:
        _checked(arg.type, str(value))
    typed: Value = value  # its type has just been compared
    return typed


def _checked(kind: str, text: str) -> None:
    try:
        _PARSERS[kind](text)
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from error


def _declaration(file: Item, name: str) -> Item:
    assert isinstance(file.value, dict)
    args = file.value["args"].value
    assert isinstance(args, dict)
    return args[name]
