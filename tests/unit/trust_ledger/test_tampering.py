"""Whatever somebody without the host's key does to the file is named, and by its kind."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from nodes.trust_ledger import chain, noted
from nodes.trust_ledger.chain import Entry
from nodes.trust_ledger.ledger import Ledger
from protocol.errors import BadRequest
from runtime.identity import HostIdentity
from tests.unit.trust_ledger.told import append, do, found, open_again, open_ledger, outcome, tell

AT = "number = 6"
COPIED = "wall_ns, kind, signer, previous, body, digest, signature, content"
TAMPERINGS = {
    "another number": (
        [f"UPDATE entries SET number = 99 WHERE {AT}"],
        [(7, "reordered"), (99, "reordered"), (9, "forged")],
    ),
    "an edited key": ([f"UPDATE entries SET key = 'x77/sensory' WHERE {AT}"], [(6, "edited")]),
    "an edited time": ([f"UPDATE entries SET wall_ns = 9 WHERE {AT}"], [(6, "edited")]),
    "an edited kind": ([f"UPDATE entries SET kind = 'r6' WHERE {AT}"], [(6, "edited")]),
    "an edited signer": ([f"UPDATE entries SET signer = 'lct:host:me:00' WHERE {AT}"], [(6, "edited")]),
    "an edited link": ([f"UPDATE entries SET previous = zeroblob(32) WHERE {AT}"], [(6, "edited"), (6, "reordered")]),
    "an edited body": ([f"UPDATE entries SET body = zeroblob(80) WHERE {AT}"], [(6, "edited")]),
    "an edited digest": ([f"UPDATE entries SET digest = zeroblob(32) WHERE {AT}"], [(6, "edited")]),
    "a signature of nobody": ([f"UPDATE entries SET signature = zeroblob(64) WHERE {AT}"], [(6, "forged")]),
    "an edited content": ([f"UPDATE entries SET content = zeroblob(32) WHERE {AT}"], [(6, "edited")]),
    "a content taken away": ([f"UPDATE entries SET content = NULL WHERE {AT}"], [(6, "edited")]),
    "a body moved from another entry": (
        [f"UPDATE entries SET body = (SELECT body FROM entries WHERE number = 5) WHERE {AT}"],
        [(6, "edited")],
    ),
    "body and content moved from another entry": (
        [
            f"UPDATE entries SET body = (SELECT body FROM entries WHERE number = 5) WHERE {AT}",
            f"UPDATE entries SET content = (SELECT content FROM entries WHERE number = 5) WHERE {AT}",
        ],
        [(6, "edited")],
    ),
    "a dropped entry": ([f"DELETE FROM entries WHERE {AT}"], [(6, "dropped")]),
    "a dropped first entry": (["DELETE FROM entries WHERE number = 1"], [(1, "dropped")]),
    "several dropped entries": (["DELETE FROM entries WHERE number IN (5, 6)"], [(5, "dropped")]),
    "a dropped entry whose gap was closed": (
        ["DELETE FROM entries WHERE number = 7", "UPDATE entries SET number = 7 WHERE number = 8"],
        [(7, "dropped"), (8, "dropped")],
    ),
    "a dropped end": (["DELETE FROM entries WHERE number >= 7"], [(7, "dropped")]),
    "everything dropped": (["DELETE FROM entries"], [(1, "dropped")]),
    "a dropped end and a head to match": (
        ["DELETE FROM entries WHERE number = 8", "UPDATE head SET number = 7, link = zeroblob(32)"],
        [(7, "forged")],
    ),
    "a dropped head": (["DELETE FROM head"], [(8, "dropped")]),
    "two entries that changed places": (
        [
            "UPDATE entries SET number = 99 WHERE number = 5",
            "UPDATE entries SET number = 5 WHERE number = 6",
            "UPDATE entries SET number = 6 WHERE number = 99",
        ],
        [(5, "reordered"), (6, "reordered"), (7, "reordered")],
    ),
    "an entry that was inserted": (
        [
            f"INSERT INTO entries SELECT 99, 'x99/sensory', {COPIED} FROM entries WHERE {AT}",
        ],
        [(99, "edited"), (99, "reordered"), (9, "forged")],
    ),
    "rules that were exchanged": (["UPDATE rules SET text = '{}'"], [(0, "derived")]),
    "an identity that was edited": (["UPDATE identities SET record = zeroblob(9)"], [(0, "derived")]),
    "an identity that was dropped": (["DELETE FROM identities WHERE id LIKE 'lct:model%'"], [(0, "derived")]),
    "a standing that was edited": (["UPDATE standings SET state = zeroblob(90)"], [(0, "derived")]),
    "a standing that was dropped": (["DELETE FROM standings"], [(0, "derived")]),
    "a standing under another role": (["UPDATE standings SET role = 'tactical'"], [(0, "derived")]),
}


@pytest.mark.parametrize("how", TAMPERINGS)
def test_tampering_is_named(ledger: Ledger, how: str):
    statements, expected = TAMPERINGS[how]
    tell(ledger, 1, 2, 3, 4, 5)
    do(ledger, *statements)
    assert found(ledger) == expected


def test_every_column_is_tampered_with():
    touched = " ".join(statement for statements, _ in TAMPERINGS.values() for statement in statements)
    assert [name for name in Entry.__struct_fields__ if f"SET {name} = " not in touched] == []


def rewritten(ledger: Ledger, entry: Entry, signature: bytes) -> list[tuple[int, str]]:
    digest = chain.digest(entry)
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as base:
        base.execute("DELETE FROM entries WHERE number = ?", (entry.number,))
        base.execute(
            "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            msgspec.structs.astuple(msgspec.structs.replace(entry, digest=digest, signature=signature)),
        )
    return found(ledger)


def test_an_entry_rewritten_with_its_digest_is_forged(ledger: Ledger):
    tell(ledger, 1, 2, 3, 4, 5)
    third = list(ledger.entries())[5]
    assert rewritten(ledger, msgspec.structs.replace(third, wall_ns=9), third.signature) == [(6, "forged")]


def test_an_entry_signed_by_another_host_is_forged(ledger: Ledger, tmp_path: Path):
    tell(ledger, 1, 2, 3)
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    stranger = HostIdentity.load(tmp_path / "elsewhere")
    last = list(ledger.entries())[-1]
    added = msgspec.structs.replace(
        last, number=7, previous=chain.link(last.digest, last.signature), signer=stranger.lct.id, key="x9/sensory"
    )
    signature = stranger.sign(chain.entry_statement(chain.digest(added)))
    body, content = ledger._sealer.seal(b"{}", b"trust:x9/sensory"), chain.content(b"{}")
    added = msgspec.structs.replace(added, body=body, content=content)
    signature = stranger.sign(chain.entry_statement(chain.digest(added)))
    assert rewritten(ledger, added, signature) == [(7, "forged"), (7, "forged")], "the entry, and behind the head"


def test_an_older_file_put_back_is_named_by_the_head_noted_beside_it(ledger: Ledger, tmp_path: Path):
    tell(ledger, 1, 2)
    ledger.close()
    older = tmp_path / "older.sqlite"
    shutil.copy(ledger.path, older)
    with closing(open_ledger(tmp_path)) as going_on:
        append(going_on, [outcome(3)])
    ledger.path.unlink()
    for side in tmp_path.glob("trust.sqlite-*"):
        side.unlink()
    shutil.copy(older, ledger.path)
    with closing(open_again(ledger)) as rolled_back:
        (finding,) = rolled_back.verify()
    assert finding.kind == "rolled back"
    assert finding.message == "the ledger ends at entry 5, but had 6 entries: an older state was put back"


def test_a_whole_state_put_back_is_named_by_a_head_that_somebody_kept(ledger: Ledger):
    tell(ledger, 1, 2, 3)
    head = ledger.examine().head
    kept = noted.parse(noted.shown(head.number, head.link))
    assert ledger.verify(kept) == []
    other = noted.parse(noted.shown(head.number, bytes(32)))
    assert [finding.kind for finding in ledger.verify(other)] == ["rolled back"]
    later = noted.parse(noted.shown(head.number + 1, head.link))
    assert [finding.kind for finding in ledger.verify(later)] == ["rolled back"]
    with pytest.raises(BadRequest, match="is no head"):
        noted.parse("12")
    with pytest.raises(BadRequest, match="is no head"):
        noted.parse(noted.shown(1 << 70, head.link))


def test_a_note_that_is_lost_or_that_nobody_signed_says_nothing(ledger: Ledger):
    tell(ledger, 1)
    note = noted.place(ledger.path)
    note.write_bytes(b"")
    assert ledger.verify() == []
    note.write_bytes(msgspec.json.encode(chain.Head(99, bytes(32), bytes(64))))
    assert ledger.verify() == []
    note.unlink()
    assert ledger.verify() == []


def test_the_message_tells_a_person_what_happened(ledger: Ledger):
    tell(ledger, 1, 2, 3, 4, 5)
    do(ledger, "DELETE FROM entries WHERE number IN (5, 6)")
    assert [finding.message for finding in ledger.verify()] == ["entries 5 to 6 are missing"]


def test_what_rests_on_the_entries_is_made_anew_from_them(ledger: Ledger):
    tell(ledger, 1, 2, 3)
    before = ledger.standings()
    do(ledger, "DELETE FROM standings", "DELETE FROM identities", "DELETE FROM rules")
    with closing(open_again(ledger)) as again:
        examined = again.examine()
        assert (examined.sound, examined.stale) == (True, True)
        again.restore(examined)
        assert again.verify() == []
        assert again.standings() == before


def test_a_row_that_does_not_open_takes_nothing_away(ledger: Ledger):
    tell(ledger, 1, 2, 3)
    before = ledger.standings()
    do(ledger, "UPDATE standings SET state = zeroblob(90)", "UPDATE identities SET record = zeroblob(9)")
    with closing(open_again(ledger)) as again:
        assert again.standings() == before
        tell(again, 4)
        assert "derived" in {kind for _, kind in found(again)}


def test_under_another_key_every_entry_is_foreign(ledger: Ledger, tmp_path: Path):
    tell(ledger, 1)
    ledger.close()
    (tmp_path / "host.key").unlink()
    with closing(open_ledger(tmp_path)) as strange:
        findings = strange.verify()
    assert {finding.kind for finding in findings} == {"forged"}
    assert "is not the host" in findings[0].message
