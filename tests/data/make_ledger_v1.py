"""Writes `ledger_v1/`: a trust ledger as it was written while `user_version` was 1, with the key it was written under.

    python -m tests.data.make_ledger_v1

Everything of that format stands here, so that it stays readable when the program has moved on: six outcomes, each the
msgpack of its fields, sealed, with a digest over the sealed bytes.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from runtime.identity import HostIdentity
from runtime.sealing import Sealer

HOME = Path(__file__).parent / "ledger_v1"
DAY_NS = 86_400 * 10**9
BEGAN_NS = 1_795_000_000 * 10**9

TABLES = """
PRAGMA journal_mode = DELETE;
CREATE TABLE entries (
    number    INTEGER PRIMARY KEY,
    key       TEXT NOT NULL UNIQUE,
    wall_ns   INTEGER NOT NULL,
    kind      TEXT NOT NULL,
    signer    TEXT NOT NULL,
    previous  BLOB NOT NULL,
    body      BLOB NOT NULL,
    digest    BLOB NOT NULL,
    signature BLOB NOT NULL
) STRICT;
CREATE TABLE head (
    only_one  INTEGER PRIMARY KEY CHECK (only_one = 1),
    number    INTEGER NOT NULL,
    link      BLOB NOT NULL,
    signature BLOB NOT NULL
) STRICT;
PRAGMA user_version = 1;
"""

OUTCOMES = (
    {"exchange": "a1", "level": "sensory", "context": "stable", "score": 1.0, "source": "curriculum", "atp": 0.5},
    {"exchange": "a2", "level": "sensory", "context": "novel", "score": 0.0, "source": "cascade", "confidence": 0.3},
    {"exchange": "a2", "level": "tactical", "context": "novel", "score": 1.0, "source": "curriculum", "atp": 1.5},
    {"exchange": "a3", "level": "sensory", "context": "stable", "score": 0.9, "source": "confidence"},
    {"exchange": "a4", "level": "sensory", "context": "stable", "score": 0.0, "source": "user", "confidence": 0.9},
    {
        "exchange": "a5",
        "level": "tactical",
        "context": "moving",
        "score": 0.5,
        "source": "curriculum",
        "trace": b"t" * 16,
    },
)


def main() -> None:
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(mode=0o700)
    identity, sealer = HostIdentity.load(HOME), Sealer.load(HOME, "trust")
    with closing(sqlite3.connect(HOME / "trust.sqlite", isolation_level=None)) as base:
        base.executescript(TABLES)
        link = bytes(32)
        for number, told in enumerate(OUTCOMES, 1):
            link = _append(base, identity, sealer, number, told, link)
        said = b"sage/trust/head\n" + len(OUTCOMES).to_bytes(8, "big") + link
        base.execute("INSERT INTO head VALUES (1, ?, ?, ?)", (len(OUTCOMES), link, identity.sign(said)))


def _append(
    base: sqlite3.Connection, identity: HostIdentity, sealer: Sealer, number: int, told: dict[str, object], link: bytes
) -> bytes:
    outcome = {
        "session": "kitchen",
        "model": "m",
        "version": f"{told['level']}-1",
        "confidence": 0.0,
        "tokens_in": 20,
        "tokens_out": 5,
        "seconds": 0.1,
        "cpu_s": 0.05,
        "atp": 0.0,
        "cluster": 3,
        "trace": b"",
        **told,
    }
    key, wall_ns, signer = f"{told['exchange']}/{told['level']}", BEGAN_NS + number * DAY_NS, identity.lct.id
    body = sealer.seal(msgspec.msgpack.encode(outcome), b"trust:" + key.encode())
    said = ("sage/trust/1", link, key, wall_ns, "outcome", signer, body)
    digest = hashlib.sha256(msgspec.msgpack.encode(said)).digest()
    signature = identity.sign(b"sage/trust/entry\n" + digest)
    base.execute(
        "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (number, key, wall_ns, "outcome", signer, link, body, digest, signature),
    )
    return hashlib.sha256(digest + signature).digest()


if __name__ == "__main__":
    main()
