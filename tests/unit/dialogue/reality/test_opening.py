"""A cache that was made before is opened as it is; one whose tables cannot be read is said to be unreadable."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from nodes.dialogue.reality import opening
from nodes.dialogue.reality.outcomes import Found
from nodes.dialogue.reality.settings import RealityConfig
from nodes.dialogue.store import StoreUnreadable
from tests.unit.dialogue.reality.caches import assumption


def test_a_database_made_before_what_is_owed_had_an_index_gets_one_and_keeps_what_it_holds(tmp_path: Path) -> None:
    with closing(opening.opened(tmp_path, RealityConfig())) as cache:
        cache.hold(assumption("cup"), 1)
        cache.shelf.store.write("DROP INDEX assumptions_broken")
    with closing(opening.opened(tmp_path, RealityConfig())) as cache:
        assert cache.check("cup", 2).found is Found.HOLDS
        assert cache.shelf.store.rows("SELECT 1 FROM sqlite_master WHERE name = 'assumptions_broken'") == [(1,)]


def test_one_whose_tables_are_not_there_is_unreadable(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / opening.FILE)) as database:
        database.execute("PRAGMA user_version = 1")
    with pytest.raises(StoreUnreadable, match="move it away"):
        opening.opened(tmp_path, RealityConfig())
