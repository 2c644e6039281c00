"""`${args.x}`, `${env.HOME}`, `${env.GPU:-none}` and `${host}` in the values of a launch file.

A value that is one reference and nothing else takes the argument's type; inside other text it becomes text. `$${`
stands for `${`. What is put in is never read again: an argument cannot smuggle in a reference.
"""

import re
from collections.abc import Mapping

from runtime.config import Key, error_at, suggest
from runtime.launch.spec import Value, as_text
from runtime.yamltree import Item, shorten

_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_ENVIRONMENT = re.compile(r"env\.([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?\Z", re.ASCII | re.DOTALL)


def substitute(item: Item, names: Mapping[str, Value], path: tuple[Key, ...] = ()) -> Item:
    """`item` with every reference replaced. ConfigError for one that means nothing."""
    value = item.value
    if isinstance(value, dict):
        return Item({key: substitute(part, names, (*path, key)) for key, part in value.items()}, item.line, item.file)
    if isinstance(value, list):
        return Item([substitute(part, names, (*path, i)) for i, part in enumerate(value)], item.line, item.file)
    if not isinstance(value, str) or "${" not in value:
        return item
    whole = _REFERENCE.fullmatch(value)
    if whole is not None and whole[1] is not None:
        return Item(_meaning(whole[1], names, item, path), item.line, item.file)
    text = _REFERENCE.sub(lambda match: _text(match, names, item, path), value)
    return Item(text, item.line, item.file)


def _text(match: re.Match[str], names: Mapping[str, Value], item: Item, path: tuple[Key, ...]) -> str:
    if match[0] == "$${":
        return "${"
    if match[1] is None:
        raise error_at(
            item, path, f"{shorten(match.string)}: a '${{' without its '}}'; write '$${{' for the sign itself"
        )
    return as_text(_meaning(match[1], names, item, path))


def _meaning(reference: str, names: Mapping[str, Value], item: Item, path: tuple[Key, ...]) -> Value:
    if reference in names:
        return names[reference]
    if variable := _ENVIRONMENT.match(reference):
        if variable[2] is not None:
            return variable[2]
        raise error_at(
            item,
            path,
            f"the environment has no {variable[1]}",
            remedy=f"set it, or write ${{env.{variable[1]}:-something}}",
        )
    offered = [name for name in names if not name.startswith("env.")]
    raise error_at(item, path, f"there is no {shorten(reference)}{suggest(reference, offered)}")
