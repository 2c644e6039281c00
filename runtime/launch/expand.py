"""From launch files, arguments and a host to one `Launch`.

Arguments are bound, references filled in, conditions decided, included files merged, the host's section chosen.
Order of precedence, later wins, key by key: the file's includes, the file, its host section's includes, the section.
Everything a file says is checked, also what a condition or another host leaves out. No file is opened here: `read` is
given.
"""

import posixpath
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from runtime.config import ConfigError, Key, convert, error_at, suggest
from runtime.launch.arguments import bind, comparable
from runtime.launch.expression import ExpressionError, evaluate
from runtime.launch.spec import RESERVED, Arg, File, Include, Launch, Node, Section, Value, Word, as_text
from runtime.launch.substitution import substitute
from runtime.yamltree import Item

DEFAULT_SHUTDOWN = 10.0
MAX_FILES = 64
"""Included files of one launch; more is a mistake that multiplies."""

_PROGRAM = ("node", "module", "command")

Read = Callable[[str], Item]


class _Here(Struct, frozen=True):
    """What all files of one launch share."""

    read: Read
    host: str
    environment: Mapping[str, str]
    opened: list[str]


class _Merged(Struct, frozen=True):
    """The sum of files so far, still as trees. `when` of a node is decided: its value is a bool."""

    nodes: dict[str, Item]
    environment: dict[str, Item]
    shutdown: float | None = None


def expand(path: str, read: Read, *, settings: Mapping[str, str], host: str, environment: Mapping[str, str]) -> Launch:
    """The launch that the file at `path` describes.

    `settings` are the texts of `--set`, `host` names a section of `hosts` (empty for files that have none), and
    `environment` is what `${env.X}` reads.
    """
    file = read(path)
    _check_host(file, host)
    given = {name: Item(text, 0, f"--set {name}") for name, text in settings.items()}
    here = _Here(read, host, environment, [path])
    merged, arguments = _expand(file, given, here, (_normal(path),))
    nodes = {name: convert(item, Node, ("nodes", name)) for name, item in merged.nodes.items()}
    for name, node in nodes.items():
        _check_program(merged.nodes[name], name, node)
    return Launch(
        file=path,
        host=host,
        arguments=arguments,
        environment={name: as_text(item.plain()) for name, item in merged.environment.items()},
        nodes={name: node for name, node in nodes.items() if node.when},
        items=merged.nodes,
        absent={name: _at(merged.nodes[name], ("when",)).place for name, node in nodes.items() if not node.when},
        shutdown=DEFAULT_SHUTDOWN if merged.shutdown is None else merged.shutdown,
    )


def hosts_of(file: Item) -> list[str]:
    """The names under `hosts`, empty if the file has none."""
    section = _part(file, "hosts")
    return list(section.value) if section is not None and isinstance(section.value, dict) else []


def _check_host(file: Item, host: str) -> None:
    known = hosts_of(file)
    at = _part(file, "hosts") or file
    if known and not host:
        raise error_at(
            at,
            ("hosts",),
            f"this file is for {', '.join(known)}; say which of them this is",
            remedy=f"--host {known[0]}",
        )
    if host and not known:
        raise error_at(file, (), f"this file has no hosts, so --host {host} means nothing", remedy="leave --host out")
    if host and host not in known:
        raise error_at(at, ("hosts",), f"there is no host {host!r}{suggest(host, known)}; there are {', '.join(known)}")


def _expand(
    file: Item, given: Mapping[str, Item], here: _Here, stack: tuple[str, ...]
) -> tuple[_Merged, dict[str, Value]]:
    """One file with all it includes; `stack` holds the files being read, outermost first."""
    declared = _declared(file)
    bound = bind(declared, given, file)
    values = comparable(declared, bound)
    known: dict[str, Value] = {"host": here.host, **{f"env.{name}": text for name, text in here.environment.items()}}
    scope = {**known, **{f"args.{name}": value for name, value in bound.items()}}
    truths = {**known, **{f"args.{name}": value for name, value in values.items()}}
    filled = _fill(file, scope)
    parsed = convert(filled, File)
    body = Section(include=parsed.include, environment=parsed.environment, nodes=parsed.nodes)
    merged = _add_section(_Merged({}, {}), filled, body, (), _Scope(here, stack, truths))
    if here.host in parsed.hosts:
        path = ("hosts", here.host)
        section = _at(filled, path)
        merged = _add_section(merged, section, parsed.hosts[here.host], path, _Scope(here, stack, truths))
    if parsed.shutdown is not None:
        merged = _Merged(merged.nodes, merged.environment, parsed.shutdown)
    return merged, bound


class _Scope(Struct, frozen=True):
    """Where the sections of one file are read."""

    here: _Here
    stack: tuple[str, ...]
    truths: dict[str, Any]


def _add_section(merged: _Merged, item: Item, section: Section, path: tuple[Key, ...], scope: _Scope) -> _Merged:
    """`merged`, then the section's includes, then what the section itself says."""
    for i, include in enumerate(section.include):
        at, where = _at(item, ("include", i)), (*path, "include", i)
        if _holds(include.when, _part(at, "when") or at, (*where, "when"), scope):
            merged = _merge(merged, _include(include, at, where, scope))
    nodes: dict[str, Item] = {}
    for name in section.nodes:
        at, where = _at(item, ("nodes", name)), (*path, "nodes", name)
        _check_known(at, where, name, merged)
        _check_environment(_part(at, "environment"), where)
        nodes[name] = _decided(at, section.nodes[name], where, scope)
    environment = _part(item, "environment")
    _check_environment(environment, path)
    return _merge(merged, _Merged(nodes, _mapping(environment) if environment else {}))


def _include(include: Include, item: Item, path: tuple[Key, ...], scope: _Scope) -> _Merged:
    here = scope.here
    target = posixpath.join(posixpath.dirname(item.file), include.file)
    if _normal(target) in scope.stack:
        chain = " → ".join(posixpath.basename(name) for name in (*scope.stack, target))
        raise error_at(item, (*path, "file"), f"a file cannot include itself: {chain}")
    if len(here.opened) >= MAX_FILES:
        raise error_at(item, (*path, "file"), f"more than {MAX_FILES} files are included")
    here.opened.append(target)
    given = _part(item, "args")
    file = _opened(here.read, target, item, (*path, "file"))
    merged, _ = _expand(file, _mapping(given) if given else {}, here, (*scope.stack, _normal(target)))
    return merged


def _opened(read: Read, target: str, item: Item, path: tuple[Key, ...]) -> Item:
    """The included file. If it cannot even be opened, the fault lies where it is named."""
    try:
        return read(target)
    except ConfigError as error:
        if error.place != target:
            raise
        raise error_at(item, path, str(error)) from error


def _decided(item: Item, node: Node, path: tuple[Key, ...], scope: _Scope) -> Item:
    """The node's tree with `when`, if it has one, as true or false: its names mean something in this file only."""
    condition = _part(item, "when")
    if condition is None:
        return item
    holds = _holds(node.when, condition, (*path, "when"), scope)
    return Item({**_mapping(item), "when": Item(holds, condition.line, condition.file)}, item.line, item.file)


def _holds(condition: str | bool, item: Item, path: tuple[Key, ...], scope: _Scope) -> bool:
    if isinstance(condition, bool):
        return condition
    try:
        return evaluate(condition, scope.truths)
    except ExpressionError as error:
        raise error_at(item, path, f"{condition!r}: {error}") from error


def _merge(base: _Merged, over: _Merged) -> _Merged:
    nodes = dict(base.nodes)
    for name, item in over.nodes.items():
        nodes[name] = _overlay(_without_program(nodes[name], item), item) if name in nodes else item
    return _Merged(
        nodes, {**base.environment, **over.environment}, base.shutdown if over.shutdown is None else over.shutdown
    )


def _overlay(base: Item, over: Item) -> Item:
    """`over` laid on `base`: mappings are merged key by key, everything else is replaced."""
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    merged = dict(base.value)
    for key, item in over.value.items():
        merged[key] = _overlay(merged[key], item) if key in merged else item
    return Item(merged, over.line, over.file)


def _without_program(base: Item, over: Item) -> Item:
    """`base` without what it runs, if `over` says what runs: a module must not survive beside a command."""
    if not any(_part(over, key) for key in _PROGRAM):
        return base
    kept = {key: item for key, item in _mapping(base).items() if key not in _PROGRAM}
    return Item(kept, base.line, base.file)


def _check_known(item: Item, path: tuple[Key, ...], name: str, merged: _Merged) -> None:
    if name in merged.nodes or any(_part(item, key) for key in _PROGRAM):
        return
    hint = suggest(name, merged.nodes)
    raise error_at(item, path, f"says neither node nor module nor command, and no included file has a {name!r}{hint}")


def _check_environment(item: Item | None, path: tuple[Key, ...]) -> None:
    for variable, value in _mapping(item).items() if item is not None else ():
        if variable in RESERVED:
            raise error_at(
                value, (*path, "environment", variable), "the supervisor sets this itself", remedy="use params"
            )


def _check_program(item: Item, name: str, node: Node) -> None:
    said = [key for key in _PROGRAM if getattr(node, key) is not None]
    if len(said) != 1:
        raise error_at(item, ("nodes", name), f"one of {', '.join(_PROGRAM)} says what runs, not {' and '.join(said)}")


def _declared(file: Item) -> dict[str, Arg]:
    section = _part(file, "args")
    return convert(section, dict[Word, Arg], ("args",)) if section is not None else {}


def _fill(file: Item, scope: Mapping[str, Value]) -> Item:
    """The file with references filled in everywhere but in `args`, which declares what they mean."""
    if not isinstance(file.value, dict):
        return file
    filled = {k: part if k == "args" else substitute(part, scope, (k,)) for k, part in file.value.items()}
    return Item(filled, file.line, file.file)


def _part(item: Item, key: str) -> Item | None:
    return item.value.get(key) if isinstance(item.value, dict) else None


def _mapping(item: Item) -> dict[str, Item]:
    assert isinstance(item.value, dict)
    return item.value


def _at(item: Item, path: tuple[Key, ...]) -> Item:
    """The item at `path`, which conversion has proved to be there."""
    for key in path:
        value = item.value
        item = value[key] if isinstance(value, list) and isinstance(key, int) else _mapping(item)[str(key)]
    return item


def _normal(path: str) -> str:
    return posixpath.normpath(path)
