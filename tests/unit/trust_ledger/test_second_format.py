"""Entries whose actions do not say yet why a level was chosen hold, and a ledger goes on from them
(tests/data/make_ledger_v2.py made the sample before actions said so)."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from nodes.trust_ledger import r7
from nodes.trust_ledger.ledger import Ledger
from nodes.trust_ledger.proof import prove
from runtime.identity import verify
from tests.data.make_ledger_v2 import BEGAN_NS, BY, HOME, JUDGED, OUTCOMES
from tests.unit.trust_ledger.told import append, do, found, open_ledger, outcome


@pytest.fixture
def old(tmp_path: Path):
    for file in HOME.iterdir():
        shutil.copy(file, tmp_path)
        (tmp_path / file.name).chmod(0o600)  # git keeps no modes
    made = open_ledger(tmp_path)
    yield made
    made.close()


def _rows(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as base:
        return base.execute("SELECT * FROM entries ORDER BY number").fetchall()


def test_it_is_proved_and_says_what_it_said(old: Ledger):
    assert old.verify() == []
    told = [told for entry in old.entries() if (told := old.outcome(entry)) is not None]
    assert tuple(told[:3]) == OUTCOMES
    assert (told[3].score, told[3].source, told[3].judgement) == (JUDGED.score, "user", "user:0")
    assert {(one.override, one.chosen) for one in told} == {("", "")}


def test_what_is_told_again_is_the_same_telling(old: Ledger):
    receipts = append(old, [*OUTCOMES, JUDGED], BEGAN_NS + 9, BY)
    assert [(one.repeated, one.differs) for one in receipts] == [(True, False)] * 4


def test_new_entries_say_it_in_the_same_chain_and_old_ones_are_not_touched(old: Ledger):
    before = _rows(HOME / "trust.sqlite")
    told = outcome(9, version="v", override="novel", chosen="sensory has only 2.0 of 8 outcomes in novel")
    append(old, [told], BEGAN_NS + 9)
    assert _rows(old.path)[: len(before)] == before
    (*_, last) = old.entries()
    assert old.outcome(last) == told
    assert old.verify() == []
    assert prove(lambda: old.export(7), verify).findings == []


def test_in_words_only_who_says_why_is_told_with_it(old: Ledger):
    append(old, [outcome(9, override="critical", chosen="it is about fire or gas")], BEGAN_NS + 9)
    words = {
        entry.key: "\n".join(r7.in_words(old.said(entry), entry.wall_ns))
        for entry in old.entries()
        if old.outcome(entry) is not None
    }
    assert "chosen      critical overruled trust and price: it is about fire or gas" in words["x9/sensory"]
    assert not [key for key, said in words.items() if "chosen" in said and key != "x9/sensory"]


def test_why_a_level_was_chosen_cannot_be_changed_unnoticed(old: Ledger):
    append(old, [outcome(9, override="critical", chosen="it is about fire or gas")], BEGAN_NS + 9)
    (*_, last) = old.entries()
    other = old._sealer.seal(
        bytes(old._sealer.open(last.body, b"trust:x9/sensory")).replace(b'"critical"', b'"user"'), b"trust:x9/sensory"
    )
    do(old, f"UPDATE entries SET body = x'{other.hex()}' WHERE number = {last.number}")
    assert found(old) == [(last.number, "edited")]
