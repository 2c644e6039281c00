"""Writes `examples_v0/`: a store of examples as it was written before its tables had a version, with its key.

    python -m tests.data.make_examples_v0

Everything of that format stands here, so that it stays readable when the program has moved on: three examples, each the
msgpack of its fields, sealed, beside keyed digests.
"""

from __future__ import annotations

import hashlib
import hmac
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from runtime.sealing import Sealer

HOME = Path(__file__).parent / "examples_v0"
SECRET = bytes(range(32))
MINUTE_NS = 60 * 10**9
BEGAN_NS = 1_795_000_000 * 10**9

TABLES = """
PRAGMA journal_mode = DELETE;
CREATE TABLE secret (only INTEGER PRIMARY KEY CHECK (only = 1), sealed BLOB NOT NULL);
CREATE TABLE example (
    exchange TEXT PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    stratum TEXT NOT NULL,
    lot REAL NOT NULL,
    level TEXT NOT NULL,
    salience REAL NOT NULL,
    received_ns INTEGER NOT NULL,
    sealed BLOB NOT NULL
) STRICT;
CREATE INDEX example_stratum ON example (stratum, lot);
"""

EXAMPLES = (
    ("a1", "What is 17 plus 25?", "42", "tactical", "stable", 0.8, 1.0, "curriculum"),
    ("a2", "Tell eva@example.org I am late.", "I told eva@example.org.", "tactical", "novel", 0.6, None, ""),
    ("a3", "Where is the cup?", "In the hall.", "sensory", "novel", 0.4, 0.0, "user"),
)


def main() -> None:
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(mode=0o700)
    sealer = Sealer.load(HOME, "dream")
    with closing(sqlite3.connect(HOME / "examples.sqlite", isolation_level=None)) as base:
        base.executescript(TABLES)
        base.execute("INSERT INTO secret VALUES (1, ?)", (sealer.seal(SECRET, b"dream/secret"),))
        for number, told in enumerate(EXAMPLES):
            _insert(base, sealer, number, *told)


def _insert(
    base: sqlite3.Connection,
    sealer: Sealer,
    number: int,
    exchange: str,
    question: str,
    answer: str,
    level: str,
    context: str,
    salience: float,
    score: float | None,
    verifier: str,
) -> None:
    received_ns = BEGAN_NS + number * MINUTE_NS
    example = {
        "exchange": exchange,
        "messages": [{"role": "user", "content": question}],
        "answer": answer,
        "level": level,
        "version": f"{level}-1",
        "context": context,
        "cluster": 3,
        "salience": salience,
        "score": score,
        "verifier": verifier,
        "confidence": 0.9,
        "received_ns": received_ns,
    }
    sealed = sealer.seal(msgspec.msgpack.encode(example), b"dream/example/" + exchange.encode())
    lot = int(_digest("evict", exchange)[:13], 16) / 16**13
    mark, stratum = _digest("user", question, answer), f"{context}/3"
    base.execute(
        "INSERT INTO example VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (exchange, mark, stratum, lot, level, salience, received_ns, sealed),
    )


def _digest(*parts: str) -> str:
    total = hmac.new(SECRET, digestmod=hashlib.sha256)
    for part in parts:
        total.update(len(part.encode()).to_bytes(8, "big") + part.encode())
    return total.hexdigest()[:32]


if __name__ == "__main__":
    main()
