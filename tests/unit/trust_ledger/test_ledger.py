"""What was acknowledged is there, and rests on what was written before."""

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from nodes.trust_ledger.batch import Adopt, Learned
from nodes.trust_ledger.ledger import Ledger, LedgerError
from protocol.errors import BadRequest
from protocol.messages.trust import Judge
from tests.unit.trust_ledger.told import GROUND, append, do, open_again, open_ledger, outcome, tell


def actions(ledger: Ledger):
    return [(entry.wall_ns, told) for entry in ledger.entries() if (told := ledger.outcome(entry)) is not None]


def kinds(ledger: Ledger):
    return [entry.kind for entry in ledger.entries()]


def test_what_was_appended_is_there_after_reopening(ledger: Ledger):
    receipts = append(ledger, [outcome(1), outcome(2)], 5) + append(ledger, [outcome(3)], 6)
    assert [receipt.number for receipt in receipts] == [4, 5, 6]
    ledger.close()
    with closing(open_again(ledger)) as again:
        assert actions(again) == [(5, outcome(1)), (5, outcome(2)), (6, outcome(3))]
        assert [entry.number for entry in again.entries(after=5)] == [6]
        assert (again.count(), again.verify()) == (6, [])


def test_before_the_first_action_stand_the_host_its_rules_and_who_acts(ledger: Ledger):
    tell(ledger, 1, 2)
    assert kinds(ledger) == ["identity", "rules", "identity", "r7", "r7"]
    assert len(kinds(ledger)) - 2 == GROUND


def test_an_outcome_told_twice_has_one_entry(ledger: Ledger):
    append(ledger, [outcome(1)], 1)
    again, other_level, differing, within = append(
        ledger, [outcome(1), outcome(1, level="tactical"), outcome(1, score=0.0), outcome(1, level="tactical")], 2
    )
    assert (again.number, again.repeated, again.differs) == (4, True, False)
    assert (other_level.number, other_level.repeated) == (5, False)
    assert (differing.number, differing.repeated, differing.differs) == (4, True, True)
    assert (within.number, within.repeated) == (5, True)
    assert [told.score for _, told in actions(ledger)] == [1.0, 1.0]


def test_an_empty_ledger_is_as_it_was_written(ledger: Ledger):
    assert (ledger.verify(), ledger.count()) == ([], 0)


def test_the_file_belongs_to_its_owner_alone_and_what_was_said_is_sealed(ledger: Ledger):
    append(ledger, [outcome(1)])
    for path in ledger.path.parent.glob("trust.*"):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600, path
    written = b"".join(path.read_bytes() for path in ledger.path.parent.glob("trust.*"))
    assert b"x1/sensory" in written
    assert b"kitchen" not in written
    assert b"arithmetic" not in written


def test_a_judged_outcome_is_r7_and_one_that_nobody_judged_is_r6(ledger: Ledger):
    append(ledger, [outcome(1), outcome(2, source="confidence"), outcome(3, source="confidence", breach="spoke on")])
    assert kinds(ledger)[GROUND:] == ["r7", "r6", "r7"]


def test_new_rules_are_written_down_once_and_name_what_follows(ledger: Ledger):
    strict = '{"reputation": {"graded": 0.5}}'
    first, repeated = append(ledger, [Adopt(strict), Adopt(strict)])
    assert (first.repeated, repeated.repeated) == (False, True)
    tell(ledger, 1)
    append(ledger, [Adopt("{}")])
    tell(ledger, 2)
    one, other = (ledger.said(entry).rules for entry in ledger.entries() if entry.kind == "r7")
    assert one != other
    with closing(open_again(ledger)) as again:
        assert again.verify() == []


def test_a_later_judgement_is_an_action_of_its_own_and_costs_nothing_more(ledger: Ledger):
    append(ledger, [outcome(1, level="sensory", atp=1.0), outcome(1, level="tactical", atp=2.0)])
    judge = Judge(exchange="x1", score=0.0, source="user")
    (receipt,) = append(ledger, [judge])
    (again,) = append(ledger, [judge])
    assert (again.number, again.repeated) == (receipt.number, True)
    assert receipt.outcome is not None
    assert (receipt.outcome.level, receipt.outcome.score, receipt.outcome.source) == ("tactical", 0.0, "user")
    assert receipt.outcome.atp == 0.0
    (of_the_other,) = append(ledger, [Judge(exchange="x1", level="sensory", score=0.0, source="user")])
    assert of_the_other.outcome.level == "sensory"
    assert ledger.verify() == []


def test_a_judgement_of_an_answer_that_is_not_there_is_refused_alone(ledger: Ledger):
    refused, taken = append(ledger, [Judge(exchange="x9", score=1.0, source="user"), outcome(1)])
    assert isinstance(refused.refused, BadRequest)
    assert taken.refused is None


def test_an_exchange_whose_name_begins_like_another_is_not_judged_for_it(ledger: Ledger):
    append(ledger, [outcome(12)])
    (refused,) = append(ledger, [Judge(exchange="x1", score=1.0, source="user")])
    assert refused.refused is not None


def test_an_adapter_comes_from_the_model_it_was_learned_from(ledger: Ledger):
    append(ledger, [outcome(1, version="base"), outcome(2, version="tuned", adapter="d1")])
    append(ledger, [Learned("d1", "base"), Learned("d1", "base")])
    by_kind = {lct.subject.kind: lct for lct in ledger.identities()}
    assert by_kind["adapter"].lineage == [by_kind["model"].id]
    assert {place.subject for place, _ in ledger.standings()} == {by_kind["adapter"].id, by_kind["model"].id}
    assert ledger.verify() == []


def test_the_node_that_told_is_the_witness(ledger: Ledger):
    append(ledger, [outcome(1)], by="dialogue")
    (node,) = [lct.id for lct in ledger.identities() if lct.subject.kind == "node"]
    said = ledger.said(ledger.find("x1"))
    assert (said.request.by, said.reputation.witnesses) == (node, [node])


def test_an_entry_is_found_by_number_key_or_exchange(ledger: Ledger):
    append(ledger, [outcome(1), outcome(1, level="tactical")])
    assert ledger.find("4").key == ledger.find("x1/sensory").key == "x1/sensory"
    assert ledger.find("x1").key == "x1/tactical"
    assert ledger.find("x") is None
    assert ledger.find("last").kind in {"r6", "r7"}
    assert ledger.find("99") is None
    assert ledger.find("9" * 40) is None


def test_an_entry_that_was_tampered_with_is_not_written_a_second_time(ledger: Ledger):
    tell(ledger, 1)
    do(ledger, "UPDATE entries SET body = zeroblob(80) WHERE number = 4")
    (receipt,) = append(ledger, [outcome(1)], 2)
    assert (receipt.number, receipt.repeated, receipt.differs) == (4, True, True)


def test_a_file_that_is_no_ledger_is_refused_with_a_remedy(tmp_path: Path):
    path = tmp_path / "trust.sqlite"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(LedgerError, match="cannot be opened as a trust ledger") as caught:
        open_ledger(tmp_path)
    assert caught.value.place == str(path)
    assert "backup" in caught.value.remedy


def test_a_ledger_of_a_newer_program_is_refused(ledger: Ledger):
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as base:
        base.execute("PRAGMA user_version = 99")
    with pytest.raises(LedgerError, match="newer program"):
        open_again(ledger)
