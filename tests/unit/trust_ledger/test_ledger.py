"""What was acknowledged is there, and whatever was done to it is named."""

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from nodes.trust_ledger import chain
from nodes.trust_ledger.chain import Entry
from nodes.trust_ledger.ledger import Ledger, LedgerError
from protocol.messages.trust import Outcome
from runtime.identity import HostIdentity
from runtime.sealing import Sealer


def outcome(number: int, **other: object) -> Outcome:
    told = {"level": "sensory", "score": 1.0, **other}
    return Outcome(
        exchange=f"x{number}", session="kitchen", model="m", version="v", context="stable", source="arithmetic", **told
    )


def open_again(ledger: Ledger) -> Ledger:
    home = ledger.path.parent
    return Ledger(ledger.path, HostIdentity.load(home), Sealer.load(home, "trust"))


def tamper(ledger: Ledger, *statements: str) -> list[tuple[int, str]]:
    """Do to the file what somebody without the host's key could do; what the ledger then says of it."""
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as base:
        for statement in statements:
            base.execute(statement)
    return [(finding.number, finding.kind) for finding in ledger.verify()]


def test_what_was_appended_is_there_after_reopening(ledger: Ledger):
    receipts = ledger.append([outcome(1), outcome(2)], 5) + ledger.append([outcome(3)], 6)
    assert [receipt.number for receipt in receipts] == [1, 2, 3]
    ledger.close()
    with closing(open_again(ledger)) as again:
        assert [(entry.wall_ns, again.outcome(entry)) for entry in again.entries()] == [
            (5, outcome(1)),
            (5, outcome(2)),
            (6, outcome(3)),
        ]
        assert [entry.number for entry in again.entries(after=2)] == [3]
        assert (again.count(), again.verify()) == (3, [])


def test_an_outcome_told_twice_has_one_entry(ledger: Ledger):
    ledger.append([outcome(1)], 1)
    again, other_level, differing, within = ledger.append(
        [outcome(1), outcome(1, level="tactical"), outcome(1, score=0.0), outcome(1, level="tactical")], 2
    )
    assert (again.number, again.repeated, again.differs) == (1, True, False)
    assert (other_level.number, other_level.repeated) == (2, False)
    assert (differing.number, differing.repeated, differing.differs) == (1, True, True)
    assert (within.number, within.repeated) == (2, True)
    assert ledger.outcome(next(ledger.entries())).score == 1.0
    assert ledger.count() == 2


def test_an_empty_ledger_is_as_it_was_written(ledger: Ledger):
    assert (ledger.verify(), ledger.count()) == ([], 0)


def test_the_file_belongs_to_its_owner_alone_and_bodies_are_sealed(ledger: Ledger):
    ledger.append([outcome(1)], 1)
    assert stat.S_IMODE(os.stat(ledger.path).st_mode) == 0o600
    written = b"".join(path.read_bytes() for path in ledger.path.parent.glob("trust.sqlite*"))
    assert b"x1/sensory" in written
    assert b"kitchen" not in written
    assert b"arithmetic" not in written


TAMPERINGS = {
    "an edited body": (["UPDATE entries SET body = zeroblob(80) WHERE number = 3"], [(3, "edited")]),
    "an edited time": (["UPDATE entries SET wall_ns = 9 WHERE number = 1"], [(1, "edited")]),
    "a body moved from another entry": (
        ["UPDATE entries SET body = (SELECT body FROM entries WHERE number = 2) WHERE number = 3"],
        [(3, "edited")],
    ),
    "an edited digest": (["UPDATE entries SET digest = zeroblob(32) WHERE number = 5"], [(5, "edited")]),
    "a signature of nobody": (["UPDATE entries SET signature = zeroblob(64) WHERE number = 4"], [(4, "forged")]),
    "a dropped entry": (["DELETE FROM entries WHERE number = 3"], [(3, "dropped")]),
    "a dropped first entry": (["DELETE FROM entries WHERE number = 1"], [(1, "dropped")]),
    "several dropped entries": (["DELETE FROM entries WHERE number IN (2, 3)"], [(2, "dropped")]),
    "a dropped entry whose gap was closed": (
        ["DELETE FROM entries WHERE number = 4", "UPDATE entries SET number = 4 WHERE number = 5"],
        [(4, "dropped"), (5, "dropped")],
    ),
    "a dropped end": (["DELETE FROM entries WHERE number >= 4"], [(4, "dropped")]),
    "everything dropped": (["DELETE FROM entries"], [(1, "dropped")]),
    "a dropped end and a head to match": (
        [
            "DELETE FROM entries WHERE number = 5",
            "UPDATE head SET number = 4, link = zeroblob(32)",
        ],
        [(4, "forged")],
    ),
    "a dropped head": (["DELETE FROM head"], [(5, "dropped")]),
    "two entries that changed places": (
        [
            "UPDATE entries SET number = 99 WHERE number = 2",
            "UPDATE entries SET number = 2 WHERE number = 3",
            "UPDATE entries SET number = 3 WHERE number = 99",
        ],
        [(2, "reordered"), (3, "reordered"), (4, "reordered")],
    ),
}


@pytest.mark.parametrize("how", TAMPERINGS)
def test_tampering_is_named(ledger: Ledger, how: str):
    statements, expected = TAMPERINGS[how]
    ledger.append([outcome(number) for number in range(1, 6)], 1)
    assert tamper(ledger, *statements) == expected


def rewritten(ledger: Ledger, entry: Entry, signature: bytes) -> list[tuple[int, str]]:
    digest = chain.digest(entry)
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as base:
        base.execute("DELETE FROM entries WHERE number = ?", (entry.number,))
        base.execute(
            "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            msgspec.structs.astuple(msgspec.structs.replace(entry, digest=digest, signature=signature)),
        )
    return [(finding.number, finding.kind) for finding in ledger.verify()]


def test_an_entry_rewritten_with_its_digest_is_forged(ledger: Ledger):
    ledger.append([outcome(number) for number in range(1, 6)], 1)
    third = list(ledger.entries())[2]
    assert rewritten(ledger, msgspec.structs.replace(third, wall_ns=9), third.signature) == [(3, "forged")]


def test_an_entry_signed_by_another_host_is_forged(ledger: Ledger, tmp_path: Path):
    ledger.append([outcome(number) for number in range(1, 4)], 1)
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    stranger = HostIdentity.load(tmp_path / "elsewhere")
    last = list(ledger.entries())[-1]
    added = msgspec.structs.replace(
        last, number=4, key="x9/sensory", previous=chain.link(last.digest, last.signature), signer=stranger.lct.id
    )
    signature = stranger.sign(chain.entry_statement(chain.digest(added)))
    assert rewritten(ledger, added, signature) == [(4, "forged"), (4, "forged")], "the entry, and behind the head"


def test_the_message_tells_a_person_what_happened(ledger: Ledger):
    ledger.append([outcome(number) for number in range(1, 6)], 1)
    tamper(ledger, "DELETE FROM entries WHERE number IN (2, 3)")
    assert [finding.message for finding in ledger.verify()] == ["entries 2 to 3 are missing"]


def test_a_tampered_entry_is_not_written_a_second_time(ledger: Ledger):
    ledger.append([outcome(1)], 1)
    tamper(ledger, "UPDATE entries SET body = zeroblob(80) WHERE number = 1")
    (receipt,) = ledger.append([outcome(1)], 2)
    assert (receipt.number, receipt.repeated, receipt.differs) == (1, True, True)


def test_a_file_that_is_no_ledger_is_refused_with_a_remedy(tmp_path: Path):
    path = tmp_path / "trust.sqlite"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(LedgerError, match="cannot be opened as a trust ledger") as caught:
        Ledger(path, HostIdentity.load(tmp_path), Sealer.load(tmp_path, "trust"))
    assert caught.value.place == str(path)
    assert "backup" in caught.value.remedy


def test_a_ledger_of_a_newer_program_is_refused(ledger: Ledger):
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as base:
        base.execute("PRAGMA user_version = 99")
    with pytest.raises(LedgerError, match="newer program"):
        open_again(ledger)
