"""A file proves itself without a ledger, and whatever was done to it is named."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from nodes.trust_ledger import chain
from nodes.trust_ledger.chain import Head
from nodes.trust_ledger.commands import trust
from nodes.trust_ledger.ledger import Ledger
from nodes.trust_ledger.proof import Proved, prove
from nodes.trust_ledger.transfer import Line, TransferRefused
from protocol.messages.action import Action
from runtime.identity import HostIdentity, verify
from tests.unit.trust_ledger.test_transfer import edited, exported, resigned


def proof(lines: list[bytes], noted: Head | None = None) -> Proved:
    return prove(lambda: iter(lines), verify, noted)


def found(lines: list[bytes]) -> list[tuple[int, str]]:
    return [(finding.number, finding.kind) for finding in proof(lines).findings]


def test_a_file_as_it_was_written_is_sound_and_gives_the_tables_again(ledger: Ledger):
    lines = exported(ledger)
    proved = proof(lines)
    assert proved.findings == []
    assert (proved.origin, proved.entries) == (ledger._identity.lct.id, ledger.count())
    assert proved.rebuilt == {
        "rules": 1,
        "identities": len(ledger.identities()),
        "standings": len(ledger.standings()),
    }


def said_otherwise(line: bytes) -> bytes:
    """What is said, its digests to match; only the signature is the old one."""
    entry = msgspec.json.decode(line, type=Line)
    said = entry.said.replace("arithmetic", "user")
    assert said != entry.said
    changed = msgspec.structs.replace(entry, said=said, content=chain.content(said.encode()))
    changed = msgspec.structs.replace(changed, digest=chain.digest(changed.entry))
    return msgspec.json.encode(changed) + b"\n"


KINDS: dict[str, tuple[Callable[[list[bytes]], list[bytes]], list[tuple[int, str]]]] = {
    "a field edited": (lambda lines: [*lines[:4], edited(lines[4], wall_ns=9), *lines[5:]], [(4, "edited")]),
    "what is said edited": (lambda lines: [*lines[:4], edited(lines[4], said="{}"), *lines[5:]], [(4, "edited")]),
    "said otherwise, digests to match": (
        lambda lines: [*lines[:4], said_otherwise(lines[4]), *lines[5:]],
        [(4, "forged")],
    ),
    "a line dropped": (lambda lines: [*lines[:4], *lines[5:]], [(4, "dropped")]),
    "two lines swapped": (
        lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]],
        [(5, "reordered"), (4, "reordered"), (6, "reordered")],
    ),
    "another signer": (
        lambda lines: [*lines[:4], edited(lines[4], signer="lct:host:x:00"), *lines[5:]],
        [(4, "edited")],
    ),
    "a line that is no entry": (lambda lines: [*lines[:4], b"\xff\n", *lines[5:]], [(0, "edited"), (4, "dropped")]),
    "the last entry dropped": (lambda lines: [*lines[:-2], lines[-1]], [(7, "dropped")]),
    "the closing line dropped": (lambda lines: lines[:-1], [(0, "dropped")]),
    "another closing digest": (lambda lines: [*lines[:-1], edited(lines[-1], lines=3)], [(0, "edited")]),
    "something appended": (lambda lines: [*lines, lines[4]], [(0, "forged")]),
    "another time of export": (lambda lines: [edited(lines[0], exported_ns=1), *lines[1:]], [(0, "edited")]),
}


@pytest.mark.parametrize("how", KINDS)
def test_what_was_done_to_a_file_is_named_with_the_entry(ledger: Ledger, how: str):
    change, findings = KINDS[how]
    assert found(change(exported(ledger))) == findings


def test_a_closing_line_by_somebody_else_is_forged(ledger: Ledger, tmp_path: Path):
    (tmp_path / "other").mkdir(mode=0o700)
    assert found(resigned(exported(ledger)[:-1], tmp_path / "other")) == [(0, "forged")]


def test_a_head_that_was_noted_must_be_held(ledger: Ledger):
    lines = exported(ledger)
    head = proof(lines).head
    assert proof(lines, head).findings == []
    later = Head(head.number + 1, head.link, b"")
    assert [finding.kind for finding in proof(lines, later).findings] == ["rolled back"]


@pytest.mark.parametrize("lines", [[], [b"{}\n"], [b"no JSON\n"]])
def test_what_is_no_exported_ledger_is_refused(lines: list[bytes]):
    with pytest.raises(TransferRefused):
        proof(lines)


def test_a_change_of_reputation_that_its_rules_do_not_give_is_named_though_everything_is_signed(ledger: Ledger):
    *lines, _ = exported(ledger)
    opening, entries = msgspec.json.decode(lines[0]), [msgspec.json.decode(line, type=Line) for line in lines[1:]]
    at = next(number for number, one in enumerate(entries) if one.kind == "r7")
    action = msgspec.json.decode(entries[at].said, type=Action)
    assert action.reputation is not None
    talented = msgspec.structs.replace(action.reputation.t3_to, talent=1)
    better = msgspec.structs.replace(action.reputation, t3_to=talented)
    said = msgspec.json.encode(msgspec.structs.replace(action, reputation=better)).decode()
    entries[at] = msgspec.structs.replace(entries[at], said=said)
    hand = HostIdentity.load(ledger.path.parent)
    last, written = chain.GENESIS, []
    for one in entries:
        unsigned = msgspec.structs.replace(one, previous=last, content=chain.content(one.said.encode()))
        digest = chain.digest(unsigned.entry)
        signature = hand.sign(chain.entry_statement(digest))
        last = chain.link(digest, signature)
        written.append(
            msgspec.json.encode(msgspec.structs.replace(unsigned, digest=digest, signature=signature)) + b"\n"
        )
    head = Head(len(entries), last, hand.sign(chain.head_statement(len(entries), last)))
    first = msgspec.json.encode({**opening, "head": msgspec.to_builtins(head)}) + b"\n"
    (finding,) = proof(resigned([first, *written], ledger.path.parent)).findings
    assert (finding.number, finding.kind) == (entries[at].number, "derived")
    assert "another change of reputation" in finding.message


def test_the_verb_reads_a_file_and_needs_no_system(ledger: Ledger, tmp_path: Path):
    file = tmp_path / "ledger.jsonl"
    lines = exported(ledger)
    file.write_bytes(b"".join(lines))
    sound = CliRunner().invoke(trust, ["verify", str(file)])
    assert sound.exit_code == 0, sound.output
    proved, rebuilt, head = sound.output.splitlines()
    assert proved == f"sound: 7 entries, as they were written by {ledger._identity.lct.id}"
    assert rebuilt == "built anew and the same: 1 rules, 3 identities, 1 standings"
    assert CliRunner().invoke(trust, ["verify", str(file), "--head", head.split()[1]]).exit_code == 0
    file.write_bytes(b"".join([*lines[:4], *lines[5:]]))
    told = CliRunner().invoke(trust, ["verify", str(file), "--json"])
    assert told.exit_code == 1
    assert json.loads(told.stdout)["problems"] == ["entry 4 is missing"]
    missing = CliRunner().invoke(trust, ["verify", str(tmp_path / "none")])
    assert missing.exit_code != 0
    assert "cannot be read" in missing.output


def test_the_digest_of_a_file_covers_every_line_but_the_last(ledger: Ledger):
    *lines, last = exported(ledger)
    assert msgspec.convert(msgspec.json.decode(last)["digest"], bytes) == hashlib.sha256(b"".join(lines)).digest()
