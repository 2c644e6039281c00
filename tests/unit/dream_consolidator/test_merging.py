"""What says the same is one example, and all that was known of either is known of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.dream_consolidator.collector.examples import Example, from_offer, merged, merit
from nodes.dream_consolidator.collector.store import Collector
from protocol.messages.context import Snarc
from protocol.messages.dream import Revise
from tests.unit.dream_consolidator.stores import LEVELS, open_store, said

RANK = {level: place for place, level in enumerate(LEVELS)}


@pytest.fixture
def store(tmp_path: Path):
    made = open_store(tmp_path)
    yield made
    made.close()


def only(store: Collector) -> Example:
    (example,) = store.examples()
    return example


def test_the_same_but_for_case_and_politeness_is_kept_once_and_counted(store: Collector) -> None:
    assert store.offer(said("x1", "Where is the cup?"), 1).kept
    again = store.offer(said("x2", "where's a cup, please"), 2)
    assert (again.kept, again.why, again.examples) == (False, "the same question was answered the same before", 1)
    assert (only(store).exchange, only(store).met, store.stats()["duplicates"]) == ("x2", 2, 1)
    assert store.offer(said("x2", "where's a cup, please"), 3).why == "already kept"
    assert only(store).met == 2


def test_nearly_the_same_in_a_long_text_is_one_and_another_number_is_not(store: Collector) -> None:
    story = "Eva came home late and put her keys on the small table by the door and then made tea for 2. " * 3
    store.offer(said("x1", f"{story} Where are the keys?"), 1)
    near = store.offer(said("x2", f"{story.replace('late and', 'early and', 1)} Where are the keys?"), 2)
    assert near.why == "nearly the same question was answered the same before"
    assert store.offer(said("x3", f"{story.replace('tea for 2', 'tea for 3', 1)} Where are the keys?"), 3).kept
    assert [example.met for example in store.examples()] == [2, 1]


def test_sums_that_differ_in_a_number_are_different_questions(store: Collector) -> None:
    for place, number in enumerate(range(20, 40)):
        assert store.offer(said(f"x{number}", f"What is 17 plus {number}?", "I do not know"), place).kept
    assert store.count == 20


def test_what_one_judge_called_right_and_wrong_was_not_the_same_question(store: Collector) -> None:
    story = "Eva came home late and put her keys on the small table by the door and then made tea for us. " * 3
    store.offer(said("x1", f"{story} Where are they?", score=1.0, verifier="curriculum"), 1)
    other = f"{story.replace('late', 'early', 1)} Where are they?"
    assert store.offer(said("x2", other, score=0.0, verifier="curriculum"), 2).kept


def test_the_better_answers_words_stay_with_all_that_is_known_of_both(store: Collector) -> None:
    store.offer(said("x1", "where is it?", "In the hall.", level="strategic", cluster=4, salience=0.6, ids=[1]), 10)
    store.offer(
        said("x2", "Where is it", "in the hall", score=0.0, verifier="user", session="garden", context="moving"), 20
    )
    found = only(store)
    assert (found.exchange, found.level, found.answer, found.ids) == ("x1", "strategic", "In the hall.", (1,))
    assert (found.score, found.verifier, found.salience) == (0.0, "user", 0.9)
    assert (found.stratum, found.received_ns, found.met) == ("novel/4", 10, 2)


def test_a_question_asked_again_is_nothing_new_to_dream_of(store: Collector) -> None:
    store.offer(said("x1", "where is it?"), 10)
    seen = store.latest_ns
    store.offer(said("x2", "where is it?"), 20)
    assert store.received_since(seen) == 0


def test_even_what_is_dull_counts_as_met_again(store: Collector) -> None:
    store.offer(said("x1", "where is it?"), 1)
    store.offer(said("x2", "where is it?", salience=0.0), 2)
    assert (only(store).met, only(store).salience) == (2, 0.9)


def test_a_reward_for_what_was_merged_reaches_what_is_kept(store: Collector) -> None:
    store.offer(said("x1", "where is it?", salience=0.8, level="strategic"), 1)
    store.offer(said("x2", "where is it?", salience=0.6), 2)
    assert store.revise(Revise(exchange="x2", snarc=Snarc(salience=0.7), score=1.0, source="user")).revised
    assert (only(store).score, only(store).verifier, only(store).salience) == (1.0, "user", 0.8)
    assert store.revise(Revise(exchange="x2", snarc=Snarc(salience=0.95, conflict=0.4))).revised
    assert only(store).snarc == Snarc(salience=0.95, conflict=0.4)
    assert store.revise(Revise(exchange="x1", snarc=Snarc(salience=0.5))).revised
    assert only(store).salience == 0.5


def test_all_five_parts_of_its_salience_the_session_and_the_answers_ids_are_kept(store: Collector) -> None:
    snarc = Snarc(surprise=0.1, novelty=0.2, arousal=0.3, reward=0.4, conflict=0.5, salience=0.6, why="it surprised")
    store.offer(said("x1", "where is it?", snarc=snarc, ids=[5, 6]), 1)
    assert (only(store).snarc, only(store).session, only(store).ids) == (snarc, "kitchen", (5, 6))


def test_what_was_given_up_does_not_come_back_by_being_said_again(tmp_path: Path) -> None:
    store = open_store(tmp_path, capacity=5)
    for number in range(30):
        store.offer(said(f"x{number}", f"what is {number}?"), number)
    held = {example.question for example in store.examples()}
    for number in range(30):
        store.offer(said(f"y{number}", f"What is {number}"), 100 + number)
    assert {example.question.lower().rstrip("?") for example in store.examples()} == {each.rstrip("?") for each in held}
    gone = next(number for number in range(30) if f"what is {number}?" not in held)
    assert not store.offer(said(f"x{gone}", f"what is {gone}?"), 200).kept
    store.close()


def test_a_store_that_may_hold_less_than_it_did_gives_up_the_rest_when_it_opens(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for number in range(30):
        store.offer(said(f"x{number}", f"what is {number}?", context="novel" if number % 3 else "stable"), number)
    store.close()
    smaller = open_store(tmp_path, capacity=10)
    strata = [example.stratum for example in smaller.examples()]
    assert (len(strata), strata.count("stable/-1"), smaller.stats()["evicted"]) == (10, 5, 20)
    smaller.close()


offers = st.builds(
    said,
    st.sampled_from(["x1", "x2", "x3"]),
    st.just("where is it?"),
    level=st.sampled_from(LEVELS),
    score=st.none() | st.sampled_from([0.0, 1.0]),
    salience=st.floats(0, 1),
)


@given(st.lists(offers, min_size=2, max_size=6))
def test_merged_in_whatever_order_the_best_words_stay_and_nothing_salient_is_lost(found: list) -> None:
    examples = [from_offer(keep, place) for place, keep in enumerate(found)]
    one = examples[0]
    for each in examples[1:]:
        one = merged(one, each, RANK)
    judged = [each.score for each in examples if each.score is not None]
    assert one.salience == max(each.salience for each in examples)
    assert one.score == (judged[-1] if judged else None)
    assert one.received_ns == examples[0].received_ns


def test_merit_is_right_before_unjudged_before_wrong_then_the_larger_then_the_later() -> None:
    ordered = [
        from_offer(said("a", "q", score=0.0, level="strategic"), 9),
        from_offer(said("b", "q", level="sensory"), 1),
        from_offer(said("c", "q", level="sensory"), 2),
        from_offer(said("d", "q", level="tactical"), 1),
        from_offer(said("e", "q", level="sensory", score=1.0), 0),
    ]
    merits = [merit(example, RANK) for example in ordered]
    assert merits == sorted(set(merits))
