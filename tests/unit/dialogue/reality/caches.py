"""A cache for tests: a real database in a directory, under a fixed secret."""

from __future__ import annotations

from pathlib import Path

from nodes.dialogue.reality.assumption import Assumption, Level, Value
from nodes.dialogue.reality.cache import Reality
from nodes.dialogue.reality.names import Names
from nodes.dialogue.reality.settings import Kept, RealityConfig
from nodes.dialogue.reality.shelf import TABLES
from nodes.dialogue.store import Store
from runtime.sealing import Sealer

SECRET = bytes(32)
SECOND = 10**9


def open_cache(folder: Path, **kept: int) -> Reality:
    store = Store.open(folder / "reality.sqlite", Sealer(SECRET, "reality"), TABLES)
    return Reality(store, RealityConfig(kept=Kept(**kept)), Names(SECRET))


def assumption(key: str, *rests_on: str, value: Value = "so", **changes: object) -> Assumption:
    given = {"level": Level.ENVIRONMENT, "statement": f"{key} is {value}", "confidence": 1.0, **changes}
    return Assumption(key=key, value=value, rests_on=rests_on, **given)  # type: ignore[arg-type]
