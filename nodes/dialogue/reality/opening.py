"""Where the reality cache lies: its database and the key of its names."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from nodes.dialogue.reality.cache import Reality
from nodes.dialogue.reality.names import PURPOSE, Names
from nodes.dialogue.reality.settings import RealityConfig
from nodes.dialogue.reality.shelf import TABLES
from nodes.dialogue.store import Store, StoreUnreadable
from runtime.identity import HostIdentity
from runtime.sealing import Sealer, derived_key

FILE = "reality.sqlite"


def opened(state_dir: Path, settings: RealityConfig) -> Reality:
    """The cache in `state_dir`, made if missing. Raises `StoreUnreadable`."""
    secret = HostIdentity.load(state_dir).sealing_secret
    store = Store.open(state_dir / FILE, Sealer(secret, "reality"), TABLES)
    try:
        return Reality(store, settings, Names(derived_key(secret, PURPOSE)), time.monotonic)
    except sqlite3.DatabaseError as error:
        store.close()
        raise StoreUnreadable(
            f"its tables cannot be read: {error}", place=str(state_dir / FILE), remedy="move it away; a new one is made"
        ) from error


def moved_aside(state_dir: Path, wall_ns: int) -> Path:
    """Move the database away, with what SQLite keeps beside it; its new place."""
    aside = state_dir / f"{FILE}.unreadable-{wall_ns}"
    for end in ("", "-wal", "-shm"):
        path = state_dir / f"{FILE}{end}"
        if path.exists():
            path.rename(aside.with_name(aside.name + end))
    return aside
