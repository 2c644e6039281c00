"""What each topic and service looks like, as data, and a hash of it: two programs can tell whether they agree."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

import msgspec

from protocol.services import SERVICES
from protocol.topics import TOPICS


def schema_of(body_type: type[msgspec.Struct]) -> dict[str, Any]:
    """JSON Schema of a message type, with its definitions inline under `$defs`."""
    (reference,), definitions = msgspec.json.schema_components([body_type], ref_template="#/$defs/{name}")
    return {**reference, "$defs": _without_prose(definitions)}


def _without_prose(schema: Any) -> Any:
    """The schema without its descriptions and titles: rewording a docstring changes no message."""
    if isinstance(schema, dict):
        return {key: _without_prose(value) for key, value in schema.items() if not _is_prose(key, value)}
    if isinstance(schema, list):
        return [_without_prose(value) for value in schema]
    return schema


def _is_prose(key: str, value: Any) -> bool:
    return key in {"description", "title"} and isinstance(value, str)


@cache
def schema_hash(body_type: type[msgspec.Struct]) -> str:
    """First 16 hexadecimal digits of SHA-256 over the canonical schema."""
    canonical = msgspec.json.encode(schema_of(body_type), order="sorted")
    return hashlib.sha256(canonical).hexdigest()[:16]


def schema_hashes(names: list[str] | None = None) -> dict[str, str]:
    """Topic or service → hash; of a service the request's, the reply's and the part's joined. All, or those named."""
    types: dict[str, list[type[msgspec.Struct]]] = {topic.path: [topic.body] for topic in TOPICS.all()}
    for service in SERVICES.all():
        types[service.name] = [service.request, service.reply, *([service.part] if service.part else [])]
    wanted = types if names is None else {name: types[name] for name in names if name in types}
    return {name: ".".join(schema_hash(one) for one in bodies) for name, bodies in wanted.items()}


def additive(older: dict[str, Any], newer: dict[str, Any]) -> list[str]:
    """Why a reader of one schema cannot read the other; empty where the newer only added fields with defaults.

    Compares the objects under `$defs` by name.
    """
    problems = []
    for name, before in older["$defs"].items():
        after = newer["$defs"].get(name)
        if after is None:
            problems.append(f"{name} is gone")
            continue
        for field, kind in before.get("properties", {}).items():
            if field not in after.get("properties", {}):
                problems.append(f"{name}.{field} is gone")
            elif _shape(kind) != _shape(after["properties"][field]):
                problems.append(f"{name}.{field} changed its type")
        added = set(after.get("required", [])) - set(before.get("required", []))
        problems.extend(f"{name}.{field} is new and has no default" for field in sorted(added))
    return problems


def _shape(kind: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in kind.items() if key != "default"}
