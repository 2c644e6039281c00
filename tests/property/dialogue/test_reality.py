"""Whatever happens to the reality cache, what holds rests on what it rested on when it was found to be so."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from nodes.dialogue.reality.assumption import Evidence
from nodes.dialogue.reality.cache import Reality
from nodes.dialogue.reality.outcomes import Circular, Found, Unsupported
from tests.unit.dialogue.reality.caches import assumption, open_cache

KEYS = st.sampled_from("abcdef")
VALUES = st.sampled_from(["one", "two", "three"])
OPERATIONS = st.one_of(
    st.tuples(st.just("hold"), KEYS, VALUES, st.sets(KEYS, max_size=3)),
    st.tuples(st.just("see"), KEYS, VALUES, st.sampled_from([1.0, 0.98, 0.7])),
    st.tuples(st.just("doubt"), KEYS),
    st.tuples(st.just("break"), KEYS),
    st.tuples(st.just("forget"), KEYS),
)


class Believed:
    """What a careful person would remember of each assumption: what it rests directly on, and how that was then."""

    def __init__(self, cache: Reality) -> None:
        self.cache = cache
        self.grounds: dict[str, dict[str, str]] = {}

    def do(self, operation: tuple) -> None:
        kind, key, *rest = operation
        known = self.cache.shelf.row(key) is not None
        match kind:
            case "hold":
                self._hold(key, *rest)
            case "see" if known:
                value, reliability = rest
                self.cache.observe(key, Evidence(value=value, reliability=reliability), 0)
                if reliability == 1.0:  # seen by somebody who is never wrong: so it is, as everything stands now
                    self._note_ground(key)
            case "doubt":
                self.cache.doubt(key, "drawn")
            case "break":
                self.cache.break_off(key, "drawn", 0)
            case "forget":
                self.cache.forget(key=key)

    def _hold(self, key: str, value: str, supports: set[str]) -> None:
        try:
            self.cache.hold(assumption(key, *sorted(supports), value=value), 0)
        except (Circular, Unsupported):
            return
        self._note_ground(key)

    def _note_ground(self, key: str) -> None:
        row = self.cache.shelf.row(key)
        keys = self.cache.shelf.keys(self.cache.shelf.supports(row.number))
        self.grounds[key] = {each: str(self.cache.opened(self.cache.shelf.row(each)).value) for each in keys}

    def check(self) -> None:
        for key in "abcdef":
            checked = self.cache.check(key, 0)
            if checked.found is not Found.HOLDS:
                continue
            for ground, value in self.grounds[key].items():
                held = self.cache.check(ground, 0)
                assert held.found is Found.HOLDS, f"{key} holds, but {ground}, on which it rests, does not"
                assert held.assumption.value == value, f"{key} holds, but {ground} is otherwise than it was"


BEGINNING = st.tuples(*(st.sets(st.sampled_from("abcdef"[:number]), max_size=2) for number in range(1, 6)))
"""For each after the first, which of those before it rests on."""


@settings(max_examples=60, deadline=None)
@example(
    (set(), {"a"}, set(), set(), set()),
    [("hold", "a", "two", set()), ("hold", "b", "one", {"c"}), ("see", "c", "two", 1.0)],
)
@given(BEGINNING, st.lists(OPERATIONS, max_size=15))
def test_nothing_holds_on_ground_that_has_changed(beginning: tuple[set[str], ...], operations: list[tuple]) -> None:
    first = [("hold", key, "one", supports) for key, supports in zip("abcdef", (set(), *beginning), strict=True)]
    with tempfile.TemporaryDirectory() as folder, closing(open_cache(Path(folder))) as cache:
        believed = Believed(cache)
        for operation in [*first, *operations]:
            believed.do(operation)
            believed.check()
