"""A ledger as a file proves itself, to the host that wrote it and to any other."""

import hashlib
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from nodes.trust_ledger.batch import Learned
from nodes.trust_ledger.ledger import Ledger
from nodes.trust_ledger.transfer import TransferRefused
from runtime.identity import HostIdentity, verify
from tests.data.make_ledger_v1 import HOME
from tests.unit.trust_ledger.told import append, do, open_ledger, outcome, tell


@pytest.fixture
def elsewhere(tmp_path: Path):
    """The empty ledger of another host."""
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    made = open_ledger(tmp_path / "elsewhere")
    yield made
    made.close()


def exported(ledger: Ledger) -> list[bytes]:
    append(ledger, [outcome(1), outcome(2, source="confidence"), outcome(3, score=0.0), Learned("d", "v")])
    return list(ledger.export(7))


def test_the_same_host_has_the_same_ledger_again(ledger: Ledger, tmp_path: Path):
    lines = exported(ledger)
    before = (list(ledger.entries()), ledger.standings(), ledger.identities())
    ledger.close()
    for file in tmp_path.glob("trust.sqlite*"):
        file.unlink()
    with closing(open_ledger(tmp_path)) as again:
        taken = again.take_in(lines, 9)
        assert taken.entries == len(before[0])
        assert (list(again.entries()), again.standings(), again.identities()) == before
        assert again.verify() == []
        tell(again, 4)
        assert again.verify() == []


def test_a_host_does_not_mix_its_own_ledger_into_one_that_has_entries(ledger: Ledger):
    with pytest.raises(TransferRefused, match="there are entries here already"):
        ledger.take_in(exported(ledger), 9)


def test_another_host_keeps_the_entries_beside_its_own_and_learns_nothing_of_them(ledger: Ledger, elsewhere: Ledger):
    lines = exported(ledger)
    tell(elsewhere, 8)
    before = elsewhere.standings()
    taken = elsewhere.take_in(lines, 9)
    assert taken.origin == ledger._identity.lct.id
    assert elsewhere.standings() == before
    examined = elsewhere.examine()
    assert examined.findings == []
    assert examined.rebuilt["entries of other hosts"] == taken.entries
    assert [entry.kind for entry in elsewhere.entries()][-1] == "import"


def test_a_longer_file_of_the_same_origin_goes_on_and_a_shorter_one_is_refused(ledger: Ledger, elsewhere: Ledger):
    early = exported(ledger)
    tell(ledger, 7)
    late = list(ledger.export(8))
    elsewhere.take_in(early, 9)
    elsewhere.take_in(early, 10)
    elsewhere.take_in(late, 11)
    assert elsewhere.verify() == []
    with pytest.raises(TransferRefused, match="are kept here already"):
        elsewhere.take_in(early, 12)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE foreign_entries SET wall_ns = 9 WHERE number = 5",
        "UPDATE foreign_entries SET said = zeroblob(90) WHERE number = 5",
        "DELETE FROM foreign_entries WHERE number = 5",
        "DELETE FROM foreign_entries",
        "UPDATE origins SET number = 2",
        "DELETE FROM origins",
    ],
)
def test_tampering_with_the_entries_of_another_host_is_named(ledger: Ledger, elsewhere: Ledger, statement: str):
    elsewhere.take_in(exported(ledger), 9)
    do(elsewhere, statement)
    (finding,) = elsewhere.verify()
    assert ledger._identity.lct.id in finding.message


def test_every_entry_is_proved_by_the_public_key_alone(ledger: Ledger):
    opening, *lines, closing = (msgspec.json.decode(line) for line in exported(ledger))
    key = msgspec.convert(opening["origin"]["binding"], bytes)
    for line in lines:
        digest, signature = (msgspec.convert(line[name], bytes) for name in ("digest", "signature"))
        verify(key, b"sage/trust/entry\n" + digest, signature)
        assert hashlib.sha256(line["said"].encode()).digest() == msgspec.convert(line["content"], bytes)
    assert closing["lines"] == len(lines) + 1


def edited(line: bytes, **other: object) -> bytes:
    return msgspec.json.encode({**msgspec.json.decode(line), **other}) + b"\n"


def resigned(lines: list[bytes], home: Path) -> list[bytes]:
    """A closing line to match, signed by whoever's key lies at `home`."""
    digest = hashlib.sha256(b"".join(lines)).digest()
    signature = HostIdentity.load(home).sign(b"sage/trust/export\n" + digest)
    return [*lines, msgspec.json.encode({"lines": len(lines), "digest": digest, "signature": signature}) + b"\n"]


FORGERIES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "a line edited": lambda lines: [*lines[:4], edited(lines[4], wall_ns=9), *lines[5:]],
    "what is said in the open edited": lambda lines: [*lines[:4], edited(lines[4], said="{}"), *lines[5:]],
    "a line dropped": lambda lines: [*lines[:4], *lines[5:]],
    "two lines swapped": lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]],
    "the end cut off": lambda lines: lines[:-2],
    "the last entry dropped": lambda lines: [*lines[:-2], lines[-1]],
    "another head": lambda lines: [edited(lines[0], head=[2, "", ""]), *lines[1:]],
    "another time of export": lambda lines: [edited(lines[0], exported_ns=1), *lines[1:]],
    "nothing": lambda lines: [],
    "no ledger": lambda lines: [b"{}\n"],
    "no JSON": lambda lines: [lines[0], b"\xff\n", *lines[1:]],
}


@pytest.mark.parametrize("how", FORGERIES)
def test_a_file_that_was_changed_is_refused_and_nothing_of_it_is_kept(ledger: Ledger, elsewhere: Ledger, how: str):
    lines = FORGERIES[how](exported(ledger))
    with pytest.raises(TransferRefused):
        elsewhere.take_in(lines, 9)
    examined = elsewhere.examine()
    assert (examined.findings, examined.rebuilt["entries of other hosts"], elsewhere.count()) == ([], 0, 0)


def test_a_closing_line_by_somebody_else_does_not_help(ledger: Ledger, elsewhere: Ledger):
    lines = exported(ledger)
    with pytest.raises(TransferRefused, match="closing line is not signed by its origin"):
        elsewhere.take_in(resigned(lines[:-1], elsewhere.path.parent), 9)


def test_a_ledger_of_the_first_format_travels_too(elsewhere: Ledger, tmp_path: Path):
    old = tmp_path / "old"
    shutil.copytree(HOME, old)
    old.chmod(0o700)
    (old / "host.key").chmod(0o600)
    with closing(open_ledger(old)) as first:
        lines = list(first.export(7))
        before = first.standings()
    elsewhere.take_in(lines, 9)
    assert elsewhere.verify() == []
    for file in old.glob("trust.*"):
        file.unlink()
    with closing(open_ledger(old)) as again:
        again.take_in(lines, 9)
        assert again.standings() == before
        assert again.verify() == []
