from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from runtime.supervisor import order
from runtime.supervisor.child import Child
from tests.unit.supervisor.lives import process

CHAIN: dict[str, dict[str, str]] = {
    "hub": {},
    "worker": {"hub": "ready"},
    "dialogue": {"worker": "ready"},
    "ears": {"hub": "started"},
}


def children(phases: Mapping[str, str], **changes: Any) -> dict[str, Child]:
    return {
        name: msgspec.structs.replace(
            Child(process=process(name, after=after)), phase=phases.get(name, "waiting"), **changes
        )
        for name, after in CHAIN.items()
    }


@pytest.mark.parametrize(
    ("phases", "names"),
    [
        ({}, ["hub"]),
        ({"hub": "starting"}, ["ears"]),
        ({"hub": "ready"}, ["worker", "ears"]),
        ({"hub": "degraded"}, ["worker", "ears"]),
        ({"hub": "stopping"}, []),
        ({"hub": "failed"}, []),
        ({"hub": "ready", "worker": "starting", "ears": "ready"}, []),
        ({"hub": "backoff", "worker": "ready", "ears": "ready"}, ["dialogue"]),
    ],
)
def test_who_may_start(phases: dict[str, str], names: list[str]) -> None:
    assert order.startable(children(phases)) == names


def test_what_is_missing_is_said() -> None:
    found = children({"hub": "ready", "worker": "starting"})
    assert order.missing(found, found["dialogue"]) == ["worker (ready)"]


@pytest.mark.parametrize(
    ("phases", "names"),
    [
        (dict.fromkeys(CHAIN, "ready"), ["dialogue", "ears"]),
        ({**dict.fromkeys(CHAIN, "ready"), "dialogue": "stopped"}, ["worker", "dialogue", "ears"]),
        ({**dict.fromkeys(CHAIN, "stopped"), "hub": "ready"}, ["hub", "worker", "dialogue", "ears"]),
        ({"hub": "starting"}, ["hub", "worker", "dialogue", "ears"]),
        ({**dict.fromkeys(CHAIN, "ready"), "hub": "backoff"}, ["hub", "dialogue", "ears"]),
        ({**dict.fromkeys(CHAIN, "ready"), "hub": "stopping"}, ["hub", "dialogue", "ears"]),
    ],
)
def test_who_may_stop(phases: dict[str, str], names: list[str]) -> None:
    assert order.stoppable(children(phases)) == names


def test_who_was_told_to_stop_is_not_told_again() -> None:
    assert order.stoppable(children(dict.fromkeys(CHAIN, "stopping"), wanted=False)) == []


def test_dependants_are_those_behind_directly_or_not() -> None:
    assert order.dependants(children({}), "worker") == ["dialogue"]
    assert order.dependants(children({}), "hub") == ["worker", "dialogue", "ears"]
    assert order.dependants(children({}), "ears") == []


def test_the_outcome_of_a_start() -> None:
    assert order.outcome(children(dict.fromkeys(CHAIN, "ready"))) == "ready"
    assert order.outcome(children({**dict.fromkeys(CHAIN, "degraded"), "ears": "stopped"})) == "ready"
    assert order.outcome(children({"hub": "ready", "worker": "starting"})) is None
    assert order.outcome(children({"hub": "ready", "worker": "failed"})) == "failed"


def test_nothing_is_left_when_all_wait_for_what_is_over() -> None:
    assert order.nothing_left(children({"hub": "failed"}))
    assert not order.nothing_left(children({"hub": "backoff"}))
    assert not order.nothing_left(children({}))
