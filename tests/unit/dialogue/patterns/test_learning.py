"""A question becomes a pattern only once its answer was shown to depend on nothing but the question."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.dialogue.patterns.learning import (
    FEWEST_QUESTIONS,
    MOST_MARKS,
    Occurrence,
    Record,
    Standing,
    against,
    lacking,
    naming,
    noted,
    related,
    trusted,
)
from nodes.dialogue.patterns.rules import Learning, Shown
from protocol.messages.trust import TrustRow, TrustTable

RULE = Shown(times=5, sessions=3, grounds=2, days=2)


def seen(number: int, **changes: Any) -> Occurrence:
    values = {
        "question": "who made you",
        "answer": "Tom did.",
        "level": "tactical",
        "version": "v1",
        "trusted": True,
        "session": f"s{number}",
        "occasion": f"o{number}",
        "ground": f"g{number}",
        "day": f"d{number}",
        "at_ns": number,
        "related": False,
        "named": frozenset(),
    }
    return Occurrence(**{**values, **changes})


def after(*occurrences: Occurrence) -> Record:
    record = None
    for occurrence in occurrences:
        record = noted(record, occurrence)
    assert record is not None
    return record


def test_the_same_answer_often_enough_on_enough_grounds_and_days_is_enough() -> None:
    assert lacking(after(*map(seen, range(5))), RULE) == []
    assert lacking(after(*map(seen, range(4))), RULE) == ["4 of 5 answers"]


@pytest.mark.parametrize("mark", ["occasion", "ground", "day"])
def test_one_conversation_or_one_ground_or_one_day_is_not(mark: str) -> None:
    record = after(*(seen(number, **{mark: "same"}) for number in range(9)))
    assert len(lacking(record, RULE)) == 1


def test_asked_again_in_its_sight_it_shows_no_other_ground() -> None:
    record = after(seen(0), *(seen(number, ground="") for number in range(1, 9)))
    assert lacking(record, RULE) == ["1 of 2 different grounds"]


def test_a_level_that_is_not_trusted_shows_nothing() -> None:
    record = after(*(seen(number, trusted=False) for number in range(9)))
    assert record.times == 0
    assert lacking(record, RULE)


def test_an_answer_given_again_counts_only_once_a_trusted_level_gave_it() -> None:
    again = [seen(number, level="", version="", trusted=False) for number in range(1, 9)]
    assert after(*again).times == 0
    assert after(seen(0), *again).times == 9


def test_the_same_model_that_answers_otherwise_shows_that_it_depends_on_something() -> None:
    record = after(*map(seen, range(4)), seen(4, answer="Eva did."), *map(seen, range(5, 20)))
    assert "answered otherwise" in lacking(record, RULE)[0]


def test_another_version_begins_anew() -> None:
    broken = against(after(*map(seen, range(5))), "corrected")
    assert lacking(broken, RULE) == ["corrected"]
    assert lacking(after(*map(seen, range(5)), seen(5, answer="Eva did.", version="v2")), RULE)
    record = broken
    for number in range(5):
        record = noted(record, seen(number, version="v2", answer="Eva did."))
    assert lacking(record, RULE) == []
    assert record.answer == "Eva did."


def test_what_is_against_it_is_not_forgotten_by_an_answer_that_shows_nothing() -> None:
    broken = against(after(*map(seen, range(5))), "corrected")
    assert noted(broken, seen(6, level="", version="", trusted=False, answer="x")).against == "corrected"
    assert noted(broken, seen(6, trusted=False, level="sensory", answer="x")).against == "corrected"


def test_an_answer_that_names_a_live_value_every_time_depends_on_it() -> None:
    monday = frozenset({"weekday"})
    assert "names weekday" in lacking(after(*(seen(number, named=monday) for number in range(6))), RULE)[0]
    shown_otherwise = after(*(seen(number, named=monday if number else frozenset()) for number in range(6)))
    assert lacking(shown_otherwise, RULE) == []


def test_live_values_are_found_as_words() -> None:
    values = {"weekday": "Monday", "time": "14:05", "atp": "80"}
    assert naming("On monday, at 14:05.", values) == {"weekday", "time"}
    assert naming("There are 8015 of them", values) == frozenset()


def test_a_correction_ends_a_proposal() -> None:
    proposed = Record(question="q", answer="a", times=5, standing=Standing.PROPOSED)
    assert against(proposed, "corrected").standing is Standing.WATCHED


@pytest.mark.parametrize("standing", [Standing.ACCEPTED, Standing.REJECTED])
def test_what_was_decided_stays_decided(standing: Standing) -> None:
    record = Record(question="who made you", standing=standing)
    assert noted(record, seen(1)) is record
    assert against(record, "corrected").standing is standing


def test_a_phrase_has_to_be_words() -> None:
    for question in ("who made 2", "wer hat dich gemacht ä", ""):
        record = after(*(seen(number, question=question) for number in range(6)))
        assert "words only" in lacking(record, RULE)[0]


def test_the_subject_has_come_up_where_a_rare_word_of_it_was_said() -> None:
    common = {"where": 40, "is": 60, "the": 70, "cup": 1}
    question = "where is the cup"
    assert related(question, ["The cup is in the hall."], common, 100)
    assert not related(question, ["Where is the book?"], common, 100)
    assert not related(question, ["Where is the CUP?"], common, 100)
    assert not related(question, ["The cup is in the hall."], common, FEWEST_QUESTIONS - 1)


def test_trust_is_that_of_the_version_in_the_context() -> None:
    row = TrustRow(level="tactical", version="v1", context="stable", mean=0.9, low=0.8, high=0.95, evidence=20)
    table = TrustTable(entries=20, rows=[row])
    assert trusted(table, "tactical", "v1", "stable", 0.8)
    assert not trusted(table, "tactical", "v1", "stable", 0.81)
    assert not trusted(table, "tactical", "v2", "stable", 0.5)
    assert not trusted(table, "tactical", "v1", "novel", 0.5)


def test_no_rule_accepts_what_was_never_shown_to_be_independent_of_its_subject() -> None:
    with pytest.raises(ValueError, match="related"):
        Learning(accepted_after=Shown(times=50))
    Learning(accepted_after=Shown(times=50, related=1))


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["v1", "v2"]), st.booleans()), max_size=60))
def test_a_record_stays_bounded_and_never_counts_two_answers(history: list[tuple[str, str, bool]]) -> None:
    record: Record | None = None
    for number, (answer, version, sure) in enumerate(history):
        record = noted(record, seen(number, answer=answer, version=version, trusted=sure))
        assert len(record.sessions) <= MOST_MARKS
        assert record.times <= number + 1
        if record.times:
            assert record.answer == answer or not sure or record.times < number + 1
