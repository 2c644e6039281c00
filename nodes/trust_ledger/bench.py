"""How fast the ledger writes down what is durable, in batches and one at a time, and how fast it proves all of it."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

from nodes.trust_ledger import chain, rows
from nodes.trust_ledger.ledger import LEDGER_FILE, Ledger, Telling
from nodes.trust_ledger.tables import open_reading
from protocol.messages import trust
from protocol.messages.context import Context
from runtime.bench.record import at_least
from runtime.bench.session import Outcome, Progress, Session
from runtime.bench.statistics import percentile, spread
from runtime.clock import Clock
from runtime.identity import HostIdentity
from runtime.sealing import Sealer

BATCH = 512
"""What the node writes together at most."""
ROUNDS = 5
SYNC_BYTES = 4096
VERIFY = "chain and everything that rests on it"


def measure(session: Session) -> Outcome:
    """Everything on the disk that temporary files go to ($TMPDIR)."""
    batched, single = (5 * BATCH, 100) if session.quick else (100 * BATCH, 2000)
    progress = session.progress(batched + single + ROUNDS * 3)
    chance = Random(session.seed)
    with tempfile.TemporaryDirectory(prefix="sage-bench-") as place:
        directory = Path(place)
        sealer = Sealer.load(directory, "trust")
        with closing(Ledger(directory / LEDGER_FILE, HostIdentity.load(directory), sealer)) as ledger:
            figures: dict[str, Any] = {
                "entries": {"in batches": batched, "one at a time": single, "batch": BATCH},
                "durable_per_s": spread(_batches(session, ledger, chance, batched, progress)),
                "one_at_a_time": _singly(session, ledger, chance, single, progress),
                "sync_of_4_KiB": _ms(_syncs(directory, single)),
            }
            figures["proof_per_s"] = _proofs(session, ledger, progress)
            figures["bytes_per_entry"] = round(ledger.path.stat().st_size / ledger.count())
    durable, proved = figures["durable_per_s"], figures["proof_per_s"][VERIFY]
    return Outcome(
        figures=figures,
        goals=[
            at_least(
                "durable", f"durable entries a second, in batches of {BATCH}", target=2000, measured=durable["median"]
            ),
            at_least("verify", "entries a second proved by `verify`", target=20_000, measured=proved["median"]),
        ],
        packages=("msgspec", "cryptography"),
        text="An entry is an R7 action with its reputation, signed, chained and sealed; its batch is synced before it "
        "counts. `verify` opens every body, checks chain and head, and builds rules, identities and tensors anew; the "
        "signed head covers every signature by the chain, so that each is looked at by itself only to name a fault. "
        "One at a time costs what the disk takes for a sync, which stands beside it.",
    )


def _batches(session: Session, ledger: Ledger, chance: Random, count: int, progress: Progress) -> list[float]:
    """Entries a second, batch by batch."""
    rates = []
    for begin in range(0, count, BATCH):
        told = [Telling(_outcome(number, chance), "dialogue") for number in range(begin, begin + BATCH)]
        began = time.perf_counter()
        ledger.append(told, Clock().wall_ns())
        seconds = time.perf_counter() - began
        rates.append(BATCH / seconds)
        session.raw(side="batch", entries=BATCH, seconds=seconds)
        progress.advance(BATCH, "in batches")
    return rates


def _singly(session: Session, ledger: Ledger, chance: Random, count: int, progress: Progress) -> dict[str, float]:
    seconds = []
    for number in range(count):
        told = [Telling(_outcome(10_000_000 + number, chance), "dialogue")]
        began = time.perf_counter()
        ledger.append(told, Clock().wall_ns())
        seconds.append(time.perf_counter() - began)
        session.raw(side="single", seconds=seconds[-1])
        progress.advance(1, "one at a time")
    return {"per_s": round(count / sum(seconds), 1), **_ms(seconds)}


def _syncs(directory: Path, count: int) -> list[float]:
    """Seconds that the disk takes to keep 4 KiB behind the end of a file: the floor under one entry at a time."""
    seconds, block = [], os.urandom(SYNC_BYTES)
    with (directory / "synced").open("wb", buffering=0) as file:
        for _ in range(count):
            began = time.perf_counter()
            file.write(block)
            os.fdatasync(file.fileno())
            seconds.append(time.perf_counter() - began)
    return seconds


def _proofs(session: Session, ledger: Ledger, progress: Progress) -> dict[str, Any]:
    """Entries a second: as `verify` proves them, by the chain alone, and signature by signature as faults are named."""
    count = ledger.count()
    ways = {
        VERIFY: ledger.verify,
        "chain alone": lambda: _chain(ledger, each=False),
        "every signature": lambda: _chain(ledger, each=True),
    }
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, prove in ways.items():
            began = time.perf_counter()
            found = prove()
            seconds = time.perf_counter() - began
            assert not found, found
            rates[way].append(count / seconds)
            session.raw(side=way, entries=count, seconds=seconds)
            progress.advance(1, way)
    return {way: spread(each) for way, each in rates.items()}


def _chain(ledger: Ledger, *, each: bool) -> list[chain.Finding]:
    hand = ledger._identity
    with closing(open_reading(ledger.path)) as base:
        head = rows.head(base)
        given = ((entry, entry.content) for entry in rows.entries(base))
        if each:
            return list(chain.inspect(given, head, hand.lct.id, hand.verify, frozenset))
        assert chain.intact(given, head, hand.verify)
    return []


def _outcome(number: int, chance: Random) -> trust.Outcome:
    """As an exchange leaves one behind: levels, contexts and judges in turn."""
    level = chance.choice(("sensory", "tactical", "specialized"))
    return trust.Outcome(
        exchange=f"{number:032x}",
        session=f"session {chance.randrange(50)}",
        level=level,
        model=f"experiments/reference/weights/{level}",
        version=f"{level}-0123456789ab",
        context=chance.choice(tuple(Context)).value,
        score=float(chance.random() < 0.8),
        source=chance.choice(("reference", "cascade", "user")),
        confidence=chance.random(),
        tokens_in=chance.randrange(20, 400),
        tokens_out=chance.randrange(1, 60),
        seconds=chance.random(),
        cpu_s=chance.random(),
        atp=chance.random(),
        cluster=chance.randrange(64),
        trace=chance.randbytes(16),
        stake=chance.random(),
    )


def _ms(seconds: list[float]) -> dict[str, float]:
    return {
        "median_ms": round(1e3 * percentile(seconds, 0.5), 3),
        "p99_ms": round(1e3 * percentile(seconds, 0.99), 3),
    }
