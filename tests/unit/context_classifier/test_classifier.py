"""Whole dialogues through vectors, groups and history."""

import pytest

from nodes.context_classifier.classifier import Classifier
from nodes.context_classifier.config import ContextConfig, load
from nodes.context_classifier.encoder import Choice
from nodes.context_classifier.memory import Limits
from nodes.context_classifier.snapshot import SnapshotUnreadable
from protocol.messages.context import Classified, Classify, Context, ExplainContext, ScoreExchange

OTHERS = (
    "sort 4 9 2",
    "where is the cup",
    "who does tom work for",
    "tell me a story about the sea",
    "turn the lamp in the kitchen off",
)


def ask(classifier: Classifier, text: str, session: str = "one") -> Classified:
    return classifier.classify(Classify(text=text, session=session))


def contexts(classifier: Classifier, *texts: str, session: str = "one") -> list[Context]:
    return [ask(classifier, text, session).context for text in texts]


def scoring(**changes: object) -> ScoreExchange:
    values: dict[str, object] = {
        "exchange": "e1",
        "session": "one",
        "question": "sort 4 9 2",
        "answer": "2 4 9",
        "context": Context.STABLE,
        "confidence": 0.9,
    }
    return ScoreExchange(**{**values, **changes})


@pytest.fixture
def classifier() -> Classifier:
    return Classifier(load())


def test_the_first_of_anything_is_novel(classifier: Classifier) -> None:
    assert contexts(classifier, *OTHERS) == [Context.NOVEL] * len(OTHERS)


def test_the_same_question_for_the_third_time_is_stable(classifier: Classifier) -> None:
    assert contexts(classifier, *["show me the list"] * 3)[-1] is Context.STABLE


def test_words_that_keyword_rules_take_for_novel_are_not_when_they_are_known(classifier: Classifier) -> None:
    questions = ["what is 3 plus 4", "what is 12 plus 9", "what is seven plus eight"]
    assert contexts(classifier, *questions)[1:] == [Context.STABLE, Context.STABLE]


def test_words_that_keyword_rules_take_for_unstable_are_not(classifier: Classifier) -> None:
    assert contexts(classifier, "button pressed", "button pressed", "button pressed")[-1] is Context.STABLE


def test_a_known_kind_to_which_the_conversation_has_just_turned_is_moving(classifier: Classifier) -> None:
    contexts(classifier, *OTHERS, "what is 3 plus 4", "what is 8 plus 4", session="earlier")
    assert contexts(classifier, "tell me a story about the sea", "what is 5 plus 6")[-1] is Context.MOVING


def test_a_statement_and_its_denial_are_unstable(classifier: Classifier) -> None:
    assert contexts(classifier, "the door is open", "the door is not open")[-1] is Context.UNSTABLE


def test_going_to_and_fro_is_unstable_and_staying_ends_it(classifier: Classifier) -> None:
    add, find = "what is 3 plus 4", "where is the cup"
    assert contexts(classifier, add, find, add, find, add)[-1] is Context.UNSTABLE
    assert contexts(classifier, add, add)[-1] is Context.STABLE


def test_what_one_conversation_taught_is_known_in_the_next(classifier: Classifier) -> None:
    contexts(classifier, *["where is the cup"] * 3, session="one")
    assert ask(classifier, "where is the cup", "two").context is Context.STABLE


def test_questions_of_one_kind_share_a_cluster_and_others_do_not(classifier: Classifier) -> None:
    sums = {ask(classifier, f"what is {first} plus {second}").cluster for first, second in ((1, 2), (30, 4), (5, 66))}
    others = [ask(classifier, text).cluster for text in OTHERS]
    assert len(sums) == 1
    assert len(set(others)) == len(OTHERS)
    assert not sums & set(others)


def test_an_empty_input_is_classified_too(classifier: Classifier) -> None:
    assert ask(classifier, "").context is Context.NOVEL
    assert ask(classifier, "...").context is Context.NOVEL


def test_memory_is_bounded() -> None:
    classifier = Classifier(ContextConfig(limits=Limits(clusters=4, sessions=2), scored=3))
    for number in range(20):
        ask(classifier, f"{'xyzuvw'[number % 6] * 5}{'abcdefg'[number % 7] * 6}", f"session {number}")
        classifier.score(scoring(exchange=f"e{number}"))
    stats = classifier.stats()
    assert stats["clusters"] <= 4
    assert stats["clusters_evicted"] > 0
    assert stats["sessions"] <= 2
    assert stats["exchanges"] == 3


def test_the_group_met_most_outlives_the_others() -> None:
    classifier = Classifier(ContextConfig(limits=Limits(clusters=2)))
    kept = {ask(classifier, "what is 3 plus 4").cluster for _ in range(3)}
    for text in OTHERS:
        ask(classifier, text)
    assert {ask(classifier, "what is 3 plus 4").cluster} == kept


def test_an_expected_calm_input_has_next_to_no_salience_and_a_new_loud_one_has(classifier: Classifier) -> None:
    for number in range(12):
        calm = ask(classifier, f"what is {number} plus 4").snarc
    loud = ask(classifier, "FIRE IN THE KITCHEN!!!").snarc
    assert calm.salience < 0.2
    assert min(loud.surprise, loud.novelty, loud.arousal) > 0.8
    assert loud.salience > 0.7


def test_a_score_is_given_once_and_repeated_after(classifier: Classifier) -> None:
    ask(classifier, "sort 4 9 2")
    first, new = classifier.score(scoring())
    again, new_again = classifier.score(scoring(confidence=0.1))
    assert (new, new_again) == (True, False)
    assert first == again
    assert classifier.stats()["repeated"] == 1


def test_a_score_rests_on_how_the_question_came_in(classifier: Classifier) -> None:
    heard = ask(classifier, "sort 4 9 2").snarc
    scored, _ = classifier.score(scoring())
    assert scored.snarc.novelty == heard.novelty == 1
    unheard, _ = classifier.score(scoring(exchange="e2", question="never asked"))
    assert unheard.snarc.novelty == 0
    assert classifier.stats()["unheard"] == 1


def test_learning_survives_a_restart(classifier: Classifier) -> None:
    contexts(classifier, *OTHERS, *OTHERS)
    scored, _ = classifier.score(scoring())
    restored = Classifier.restored(load(), classifier.save())
    assert not classifier.changed
    assert restored.score(scoring()) == (scored, False)
    for text in OTHERS:
        one, other = ask(classifier, text), ask(restored, text)
        assert (one.context, one.cluster) == (other.context, other.cluster)


def test_narrower_limits_keep_what_was_used_most(classifier: Classifier) -> None:
    cluster = {ask(classifier, "what is 3 plus 4").cluster for _ in range(3)}
    contexts(classifier, *OTHERS)
    restored = Classifier.restored(ContextConfig(limits=Limits(clusters=2, sessions=1)), classifier.save())
    assert restored.stats()["clusters"] == 2
    assert {ask(restored, "what is 3 plus 4").cluster} == cluster


def test_no_text_is_in_what_is_saved(classifier: Classifier) -> None:
    ask(classifier, "who does tom work for")
    assert b"tom" not in classifier.save()


def test_of_a_very_long_input_only_the_beginning_is_looked_at_and_that_is_counted(classifier: Classifier) -> None:
    text = "the cup is in the hall and " * 10_000
    ask(classifier, text)
    assert ask(classifier, text + "more").context is Context.STABLE
    assert classifier.stats()["inputs_cut"] == 2


def test_explaining_changes_nothing(classifier: Classifier) -> None:
    contexts(classifier, *OTHERS)
    before = classifier.save()
    found = classifier.explain(ExplainContext(text="where is the cup", session="one"))
    assert found.repeats == 1
    assert found.context is ask(Classifier.restored(load(), before), "where is the cup").context
    assert not classifier.changed
    assert classifier.save() == before


def test_probabilities_come_with_the_context(classifier: Classifier) -> None:
    classified = ask(classifier, "where is the cup")
    assert classified.probabilities[classified.context] == classified.confidence
    assert sum(classified.probabilities.values()) == pytest.approx(1)


def test_with_another_encoder_only_the_salience_goes_on_and_that_is_said(classifier: Classifier) -> None:
    contexts(classifier, *OTHERS)
    scored, _ = classifier.score(scoring())
    other = Classifier.restored(ContextConfig(encoder=Choice(name="hashed")), classifier.save())
    assert "learned by the encoder tokens/" in other.left
    assert (other.stats()["begun_anew"], other.stats()["clusters"]) == (1, 0)
    assert other.score(scoring()) == (scored, False)
    assert other.stats()["histories"] == classifier.stats()["histories"]


@pytest.mark.parametrize("data", [b"", b"nonsense", b"\x80", bytes(100)])
def test_a_snapshot_that_is_none_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(SnapshotUnreadable, match="remove the file"):
        Classifier.restored(load(), data)


def test_a_snapshot_cut_inside_its_vectors_is_refused(classifier: Classifier) -> None:
    import msgspec

    from nodes.context_classifier.snapshot import Snapshot

    ask(classifier, "who does tom work for")
    saved = msgspec.msgpack.decode(classifier.save(), type=Snapshot)
    saved.centres = saved.centres[:-2]
    with pytest.raises(SnapshotUnreadable):
        Classifier.restored(load(), msgspec.msgpack.encode(saved))
