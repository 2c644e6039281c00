"""What must have reached the disk: no exchange that was answered may be lost on its way to those it concerns."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from nodes.dialogue.node import STORE_FILE as DIALOGUE_FILE
from nodes.metabolic_controller.node import STORE_FILE as METABOLISM_FILE
from nodes.trust_ledger.ledger import Ledger
from nodes.trust_ledger.node import LEDGER_FILE
from protocol.messages.dialogue import Answer
from runtime.identity import HostIdentity
from runtime.sealing import Sealer
from runtime.supervisor import logview

COMPLAINTS = ("error", "critical")
BROKEN = ("bus.broken", "heartbeat.failed", "handler.failed")
"""Events of processes that met what they did not expect: whatever dies around them, these are never said."""
SHOWN = 5
"""Examples of what is missing, in a report."""


def undelivered(state_dir: Path) -> int:
    """Deliveries in the outbox of dialogue: waiting, or set aside."""
    return len(_column(state_dir / DIALOGUE_FILE, "SELECT number FROM outbox"))


def wrong(state_dir: Path, answers: Sequence[Answer], number: int) -> list[str]:
    """What is wrong on the disk of a system that has ended, given what was answered and the last number heard."""
    entries = _column(state_dir / LEDGER_FILE, "SELECT key FROM entries")
    settled = _column(state_dir / METABOLISM_FILE, "SELECT ident FROM settled")
    numbers = _column(state_dir / METABOLISM_FILE, "SELECT number FROM transitions ORDER BY number")
    tried = [f"{answer.exchange}/{one.level}" for answer in answers for one in answer.tried]
    found = [
        *_missing("in the trust ledger", tried, entries),
        *_missing("in the energy account", [answer.exchange for answer in answers], settled),
        *_tampered(state_dir),
    ]
    if left := undelivered(state_dir):
        found.append(f"{left} deliveries are left in the outbox")
    if numbers != list(range(1, len(numbers) + 1)) or len(numbers) < number:
        found.append(f"the disk has {len(numbers)} transitions up to {numbers[-1:]}, the last one heard was {number}")
    return found


def complaints(state_dir: Path) -> dict[str, int]:
    """Errors in the logs: `node event` → how often."""
    logged = logview.history(state_dir, logview.nodes_with_logs(state_dir), lambda one: one.get("level") in COMPLAINTS)
    return dict(Counter(f"{one['node']} {one.get('event')}" for one in logged).most_common())


def _missing(where: str, wanted: Iterable[str], there: Iterable[object]) -> list[str]:
    absent = sorted(set(wanted) - set(there))
    return [f"{len(absent)} are not {where}: {', '.join(absent[:SHOWN])}"] if absent else []


def _tampered(state_dir: Path) -> list[str]:
    ledger = Ledger(state_dir / LEDGER_FILE, HostIdentity.load(state_dir), Sealer.load(state_dir, "trust"))
    with closing(ledger):
        return [f"trust ledger: {finding.message}" for finding in ledger.verify()]


def _column(path: Path, query: str) -> list[object]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as base:
        return [row[0] for row in base.execute(query)]
