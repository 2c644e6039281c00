"""A ledger of the first format is taken over as it is, without loss (tests/data/make_ledger_v1.py made the sample)."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from nodes.trust_ledger.ledger import Ledger
from protocol.messages.trust import Judge
from tests.data.make_ledger_v1 import BEGAN_NS, DAY_NS, HOME, OUTCOMES
from tests.unit.trust_ledger.told import append, do, found, open_ledger, outcome


@pytest.fixture
def old(tmp_path: Path):
    for file in HOME.iterdir():
        shutil.copy(file, tmp_path)
    (tmp_path / "host.key").chmod(0o600)  # git keeps no modes
    made = open_ledger(tmp_path)
    yield made
    made.close()


def test_every_entry_says_what_it_said(old: Ledger):
    told = [(entry.number, entry.wall_ns, old.outcome(entry)) for entry in old.entries()]
    assert [number for number, _, _ in told] == list(range(1, len(OUTCOMES) + 1))
    for (number, wall_ns, kept), said in zip(told, OUTCOMES, strict=True):
        assert wall_ns == BEGAN_NS + number * DAY_NS
        assert {name: getattr(kept, name) for name in said} == said
        assert (kept.session, kept.cluster) == ("kitchen", 3)
    assert old.verify() == []


def test_entries_are_not_touched_and_go_on_in_the_same_chain(old: Ledger):
    with closing(sqlite3.connect(HOME / "trust.sqlite")) as base:
        before = base.execute("SELECT * FROM entries ORDER BY number").fetchall()
    append(
        old, [outcome(7, version="sensory-1"), Judge(exchange="a3", score=1.0, source="user")], BEGAN_NS + 9 * DAY_NS
    )
    with closing(sqlite3.connect(old.path)) as base:
        after = base.execute("SELECT * FROM entries ORDER BY number").fetchall()
        assert base.execute("PRAGMA user_version").fetchone() == (2,)
    assert [row[:9] for row in after[: len(before)]] == before
    assert [row[3] for row in after[len(before) :]] == ["identity", "rules", "identity", "r7", "r7"]
    assert old.verify() == []


def test_what_was_judged_before_has_moved_the_tensors(old: Ledger):
    shown = {(place.role, place.context): standing for place, standing in old.standings()}
    assert set(shown) == {
        ("sensory", "stable"),
        ("sensory", "novel"),
        ("tactical", "novel"),
        ("tactical", "moving"),
    }
    assert shown["sensory", "stable"].actions == 2, "nobody judged a3"
    assert shown["tactical", "novel"].t3.talent == pytest.approx(0.535)


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("UPDATE entries SET body = zeroblob(90) WHERE number = 2", (2, "edited")),
        ("UPDATE entries SET content = zeroblob(32) WHERE number = 2", (2, "edited")),
        ("DELETE FROM entries WHERE number = 2", (2, "dropped")),
    ],
)
def test_tampering_with_old_entries_is_named(old: Ledger, statement: str, finding: tuple[int, str]):
    do(old, statement)
    assert found(old) == [finding]


def test_a_migration_that_failed_changed_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for file in HOME.iterdir():
        shutil.copy(file, tmp_path)
    (tmp_path / "host.key").chmod(0o600)

    def fail(*_: object) -> None:
        raise OSError("no room")

    with monkeypatch.context() as broken:
        broken.setattr("nodes.trust_ledger.rows.keep_standings", fail)
        with pytest.raises(OSError, match="no room"):
            open_ledger(tmp_path)
    with closing(sqlite3.connect(tmp_path / "trust.sqlite")) as base:
        assert base.execute("PRAGMA user_version").fetchone() == (1,)
        assert len(base.execute("SELECT * FROM entries").description) == 9
    with closing(open_ledger(tmp_path)) as taken:
        assert taken.verify() == []
