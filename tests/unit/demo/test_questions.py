import pytest

from experiments.demo.questions import turns
from experiments.reference.speech import DEMO_ROWS, demo_pool, training_text
from nodes.dialogue import patterns


@pytest.mark.parametrize("level", DEMO_ROWS)
def test_open_questions_are_drawn_from_at_least_fifty_that_no_model_and_no_ear_was_taught(level):
    pool = [question.text for question in demo_pool(level)]
    assert len(set(pool)) >= 50
    assert set(pool).isdisjoint(training_text())


def test_a_seed_draws_the_same_turns_and_another_seed_others():
    assert turns(3) == turns(3)
    assert turns(3) != turns(4)


def test_a_demonstration_has_a_pattern_and_two_open_questions_of_different_levels():
    pattern, small, large = turns(7)
    assert pattern.text in patterns.phrases()
    assert {small.level, large.level} == {"sensory", "specialized"}
    known = patterns.load()
    assert known.match(small.text) is None
    assert known.match(large.text) is None
