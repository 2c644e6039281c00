"""Assumptions hold until surprise breaks them, and nothing that has lost its ground is ever given out."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from nodes.dialogue.reality.assumption import Evidence, Level, Standing
from nodes.dialogue.reality.cache import UNWRITTEN, Reality
from nodes.dialogue.reality.outcomes import Became, Circular, Found, UnknownAssumption, Unsupported
from nodes.dialogue.reality.surprise import Response
from tests.unit.dialogue.reality.caches import SECOND, assumption, open_cache


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Reality]:
    with closing(open_cache(tmp_path)) as made:
        yield made


def found(cache: Reality, key: str, now_s: float = 0.0) -> Found:
    return cache.check(key, round(now_s * SECOND)).found


def otherwise(by: str = "test") -> Evidence:
    return Evidence(distance=1.0, by=by)


def test_what_is_held_holds_and_what_is_not_known_does_not(cache: Reality) -> None:
    cache.hold(assumption("cup", value="hall"), 0)
    checked = cache.check("cup", 0)
    assert checked.assumption is not None
    assert (checked.found, checked.assumption.value, checked.confidence) == (Found.HOLDS, "hall", 0.99)
    assert found(cache, "box") is Found.UNKNOWN
    assert (cache.stats()["hits"], cache.stats()["misses"], cache.stats()["hit_rate"]) == (1, 1, 0.5)


def test_breaking_one_breaks_all_that_rests_on_it_and_nothing_else(cache: Reality) -> None:
    for key, *rests_on in (["box"], ["cup"], ["room", "box", "cup"], ["together", "room"], ["lamp"]):
        cache.hold(assumption(key, *rests_on), 0)
    observed = cache.observe("box", otherwise(), 7)
    assert (observed.judgement.response, observed.standing) == (Response.REBUILD, Standing.BROKEN)
    assert set(observed.followed) == {"room", "together"}
    assert [found(cache, key) for key in ("box", "cup", "room", "together", "lamp")] == [
        Found.BROKEN,
        Found.HOLDS,
        Found.BROKEN,
        Found.BROKEN,
        Found.HOLDS,
    ]
    (cascade,) = cache.shelf.cascades()
    assert (cascade.key, cascade.followed, cascade.depth, cascade.at_ns) == ("box", 2, 2, 7)
    assert "by test" in cascade.why


def test_what_was_broken_is_rebuilt_from_the_ground_up(cache: Reality) -> None:
    cache.hold(assumption("box"), 0)
    cache.hold(assumption("room", "box"), 0)
    cache.observe("box", otherwise(), 0)
    cache.hold(assumption("room", "box"), 0)
    assert found(cache, "room") is Found.BROKEN, "its ground is still broken"
    assert cache.hold(assumption("box", value="elsewhere"), 0).became is Became.REBUILT
    cache.hold(assumption("room", "box", value="elsewhere"), 0)
    assert found(cache, "room") is Found.HOLDS
    assert cache.check("box", 0).assumption.revision == 2


def test_what_is_doubted_keeps_what_rests_on_it_waiting_until_it_was_verified(cache: Reality) -> None:
    cache.hold(assumption("box", value={"a": "1", "b": "2", "c": "3", "d": "4", "e": "5"}), 0)
    cache.hold(assumption("room", "box"), 0)
    observed = cache.observe("box", Evidence(value={"a": "1", "b": "2", "c": "x", "d": "x", "e": "x"}), 0)
    assert (observed.judgement.response, observed.standing) == (Response.VERIFY, Standing.DOUBTED)
    assert found(cache, "room") is Found.DOUBTED
    assert "box is doubted" in cache.check("room", 0).why
    cache.hold(cache.opened(cache.shelf.row("box")), 0)
    assert found(cache, "room") is Found.HOLDS, "verified: nothing was broken, nothing is computed again"


def test_doubt_is_lifted_by_somebody_reliable_who_sees_the_same(cache: Reality) -> None:
    cache.hold(assumption("box", value="hall"), 0)
    assert cache.doubt("box", "the reader was replaced")
    assert not cache.doubt("box", "again")
    cache.observe("box", Evidence(value="hall", reliability=0.6), 0)
    assert found(cache, "box") is Found.DOUBTED
    cache.observe("box", Evidence(value="hall"), 0)
    assert found(cache, "box") is Found.HOLDS


def test_somebody_who_is_never_wrong_gives_the_new_value_at_once_and_dependants_follow(cache: Reality) -> None:
    cache.hold(assumption("box", value="hall"), 0)
    cache.hold(assumption("room", "box"), 0)
    observed = cache.observe("box", Evidence(value="kitchen"), 0)
    assert (observed.standing, observed.followed) == (Standing.HELD, ("room",))
    assert cache.check("box", 0).assumption.value == "kitchen"
    assert found(cache, "room") is Found.BROKEN


def test_a_mistaken_reader_makes_it_unsure_and_the_next_reading_puts_that_right(cache: Reality) -> None:
    cache.hold(assumption("box", value="hall"), 0)
    cache.hold(assumption("room", "box"), 0)
    cache.observe("box", Evidence(value="cellar", reliability=0.98), 0)
    assert (found(cache, "box"), found(cache, "room")) == (Found.UNSURE, Found.UNSURE)
    cache.observe("box", Evidence(value="hall", reliability=0.98), 0)
    assert (found(cache, "box"), found(cache, "room")) == (Found.HOLDS, Found.HOLDS)


def test_what_would_not_be_reported_is_relied_on_only_so_long(cache: Reality) -> None:
    cache.hold(assumption("cup", drift=0.01), 0)
    assert found(cache, "cup", 10) is Found.HOLDS
    assert found(cache, "cup", 30) is Found.UNSURE
    cache.observe("cup", Evidence(value="so"), 30 * SECOND)
    assert found(cache, "cup", 40) is Found.HOLDS


def test_circles_are_refused_and_so_is_resting_on_nothing(cache: Reality) -> None:
    cache.hold(assumption("a"), 0)
    cache.hold(assumption("b", "a"), 0)
    cache.hold(assumption("c", "b"), 0)
    with pytest.raises(Circular, match="c rests on a"):
        cache.hold(assumption("a", "c"), 0)
    with pytest.raises(Circular):
        cache.hold(assumption("a", "a"), 0)
    with pytest.raises(Unsupported, match="rests on nobody"):
        cache.hold(assumption("e", "nobody"), 0)
    assert found(cache, "e") is Found.UNKNOWN
    assert found(cache, "a") is Found.HOLDS, "a refused change leaves everything as it was"


def test_a_circle_that_got_in_by_another_way_still_ends(cache: Reality) -> None:
    for key in ("a", "b"):
        cache.hold(assumption(key), 0)
    one, other = cache.shelf.numbers(["a", "b"]).values()
    cache.shelf.rest(one, [other])
    cache.shelf.rest(other, [one])
    assert found(cache, "a") is Found.HOLDS
    assert set(cache.observe("a", otherwise(), 0).followed) == {"b"}


def test_a_refuted_value_is_not_believed_again_unless_somebody_verifies_it(cache: Reality) -> None:
    cache.hold(assumption("sum", value="It is 5."), 0)
    cache.observe("sum", Evidence(distance=1.0, refutes=True), 0)
    assert cache.hold(assumption("sum", value="it  is 5."), 0).became is Became.REFUSED
    assert found(cache, "sum") is Found.BROKEN
    assert cache.hold(assumption("sum", value="it is 4."), 0).became is Became.REBUILT
    assert cache.hold(assumption("sum", value="it is 5."), 0).became is Became.REFUSED
    assert cache.check("sum", 0).assumption.value == "it is 4."
    assert cache.hold(assumption("sum", value="it is 5."), 0, verified=True).became is Became.REBUILT


def test_what_grew_as_expected_breaks_nothing(cache: Reality) -> None:
    cache.hold(assumption("tokens", value=10.0, level=Level.SENSORY), 0)
    cache.hold(assumption("reply", "tokens"), 0)
    assert cache.hold(assumption("tokens", value=20.0, level=Level.SENSORY), 0, grown=True).followed == ()
    assert found(cache, "reply") is Found.HOLDS


def test_all_of_it_survives_a_restart_and_nobody_reads_it_without_the_key(tmp_path: Path) -> None:
    with closing(open_cache(tmp_path)) as first:
        first.hold(assumption("box", value="the secret cellar"), 0)
        first.hold(assumption("room", "box", subject="who sleeps in the cellar"), 0)
        first.answered("e1", "room")
    with closing(open_cache(tmp_path)) as second:
        assert found(second, "room") is Found.HOLDS
        assert second.shelf.answer_of("e1") == "room"
        assert set(second.observe("box", otherwise(), 0).followed) == {"room"}
    kept = b"".join(file.read_bytes() for file in tmp_path.glob("reality.sqlite*"))
    assert b"cellar" not in kept
    with closing(open_cache(tmp_path)) as third:
        assert found(third, "room") is Found.BROKEN


def test_every_change_is_synced_to_the_disk(cache: Reality) -> None:
    ((mode,),) = cache.shelf.store.rows("PRAGMA journal_mode")
    ((synchronous,),) = cache.shelf.store.rows("PRAGMA synchronous")
    assert (mode, synchronous) == ("wal", 2)


def test_past_its_bound_it_forgets_what_was_used_least_recently_and_bears_nothing(tmp_path: Path) -> None:
    with closing(open_cache(tmp_path, assumptions=4)) as cache:
        cache.hold(assumption("ground"), 1)
        for number, key in enumerate("abc"):
            cache.hold(assumption(key, "ground"), 2 + number)
        cache.check("a", 10)
        cache.hold(assumption("d", "ground"), 11)
        assert [found(cache, key) for key in ("ground", "a", "b", "c", "d")] == [
            Found.HOLDS,
            Found.HOLDS,
            Found.UNKNOWN,
            Found.HOLDS,
            Found.HOLDS,
        ]
        assert (cache.stats()["evictions"], cache.stats()["kept"]) == (1, 4)


def test_after_the_clock_was_set_back_what_is_new_stays_and_what_was_used_longest_ago_goes(tmp_path: Path) -> None:
    later = 10**18
    with closing(open_cache(tmp_path, assumptions=4)) as cache:
        for number in range(4):
            cache.hold(assumption(f"ahead {number}"), later)
    with closing(open_cache(tmp_path, assumptions=4)) as cache:
        cache.check("ahead 0", 1)
        for number in range(3):
            cache.hold(assumption(f"new {number}"), 2 + number)
        assert [found(cache, f"new {number}") for number in range(3)] == [Found.HOLDS] * 3
        assert found(cache, "ahead 0") is Found.HOLDS
        assert cache.stats()["evictions"] == 3


def test_a_disk_that_takes_nothing_keeps_nobody_from_asking(cache: Reality) -> None:
    keys = [f"k{number}" for number in range(UNWRITTEN + 10)]
    with cache.transaction():
        for key in keys:
            cache.hold(assumption(key), 0)
    cache.shelf.store._database.execute("PRAGMA query_only = ON")
    for now in (1, 2):
        assert {cache.check(key, now).found for key in keys} == {Found.HOLDS}
    assert len(cache._used) < UNWRITTEN
    stats = cache.stats()
    assert 0 < stats["flushes_failed"] <= 5
    assert stats["uses_dropped"] == stats["flushes_failed"] * UNWRITTEN // 2
    cache.shelf.store._database.execute("PRAGMA query_only = OFF")
    cache.flush()
    assert [row.key for row in cache.shelf.listed("", 2)] == [keys[-1], keys[-2]]


def test_exchanges_and_cascades_are_bounded(tmp_path: Path) -> None:
    with closing(open_cache(tmp_path, exchanges=3, cascades=2)) as cache:
        for number in range(6):
            cache.hold(assumption("cup", value=f"place {number}"), number)
            cache.answered(f"e{number}", "cup")
        assert [bool(cache.shelf.answer_of(f"e{number}")) for number in range(6)] == [False] * 3 + [True] * 3
        assert len(cache.shelf.cascades()) == 2


def test_forgetting_takes_out_what_was_asked_and_breaks_what_rested_on_it(cache: Reality) -> None:
    cache.hold(assumption("box"), 0)
    cache.hold(assumption("room", "box", owner="one"), 0)
    cache.hold(assumption("cup", owner="other"), 0)
    assert cache.forget(key="box") == (1, ("room",))
    assert (found(cache, "box"), found(cache, "room")) == (Found.UNKNOWN, Found.BROKEN)
    assert cache.forget(owner="one") == (1, ())
    assert cache.forget(owner="") == (0, ())
    assert cache.forget(everything=True) == (1, ())


def test_what_is_known_to_be_over_is_broken_however_little_it_was_relied_on(cache: Reality) -> None:
    cache.hold(assumption("talk", confidence=0.1), 0)
    cache.hold(assumption("state", "talk"), 0)
    assert cache.break_off("talk", "it was forgotten", 0) == ("state",)
    assert cache.break_off("talk", "again", 0) == ()
    assert cache.break_off("never", "", 0) == ()


def test_observing_what_nobody_assumes_is_an_error(cache: Reality) -> None:
    with pytest.raises(UnknownAssumption, match="sage reality show"):
        cache.observe("never", otherwise(), 0)


def test_one_that_can_no_longer_be_read_is_a_miss_and_counted(cache: Reality) -> None:
    cache.hold(assumption("cup"), 0)
    cache.shelf.store.write("UPDATE assumptions SET body = ?", b"something else")
    assert found(cache, "cup") is Found.UNKNOWN
    assert cache.stats()["unreadable"] >= 1
    assert cache.hold(assumption("cup"), 0).became is Became.NEW
    assert found(cache, "cup") is Found.HOLDS


def test_a_change_that_fails_midway_leaves_everything_as_it_was(cache: Reality) -> None:
    cache.hold(assumption("box"), 0)
    cache.hold(assumption("room", "box"), 0)

    def fail() -> None:
        with cache.transaction():
            cache.observe("box", otherwise(), 0)
            cache.shelf.store.write("no statement at all")

    with pytest.raises(sqlite3.OperationalError):
        fail()
    assert (found(cache, "box"), found(cache, "room")) == (Found.HOLDS, Found.HOLDS)
