"""What this version says must be readable by every program built since the schemas in tests/data were written.

After a change that only adds fields with defaults: `python -m tests.unit.protocol.test_evolution` writes them anew.
"""

import json
from pathlib import Path

import pytest

from protocol.schema import additive, schema_of
from protocol.services import SERVICES
from protocol.topics import TOPICS

SHIPPED = Path(__file__).parents[2] / "data" / "schemas.json"


def current():
    """The schemas of what this project declares; other packages, and other tests, may have declared theirs."""
    types = {topic.path: [topic.body] for topic in TOPICS.all()}
    types |= {
        service.name: [service.request, service.reply, *([service.part] if service.part else [])]
        for service in SERVICES.all()
    }
    ours = {name: bodies for name, bodies in types.items() if bodies[0].__module__.startswith("protocol.")}
    return {name: [schema_of(body) for body in bodies] for name, bodies in sorted(ours.items())}


@pytest.mark.parametrize("name", sorted(json.loads(SHIPPED.read_text())) if SHIPPED.exists() else [])
def test_messages_change_only_by_addition(name):
    shipped, now = json.loads(SHIPPED.read_text())[name], current().get(name)
    assert now is not None, f"{name} is gone: a changed meaning is a new name, and the old one stays"
    problems = [problem for old, new in zip(shipped, now, strict=True) for problem in additive(old, new)]
    assert problems == []


def test_every_declared_message_is_among_the_shipped_schemas():
    assert sorted(current()) == sorted(json.loads(SHIPPED.read_text()))


if __name__ == "__main__":
    SHIPPED.write_text(json.dumps(current(), indent=1, sort_keys=True) + "\n")
