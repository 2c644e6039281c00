"""Planned turns through an engine of random weights, and the true sense of context, verifier and deliveries."""

from pathlib import Path

import pytest

from experiments.reference.curriculum import questions
from experiments.reference.split import Split
from experiments.snarc.causes import SAME, Turn
from experiments.snarc.stream import Measured, Stream
from nodes.context_classifier import config
from nodes.context_classifier.classifier import Classifier
from nodes.model_worker.engine import Engine
from nodes.model_worker.levels import Level

(ASKED,) = questions(Split.HELD_OUT, "addition", 1, 0, 1)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    from tests.unit.model_worker import tiny

    folder: Path = tiny.save(tmp_path_factory.mktemp("tiny"))
    return Engine(
        Level(
            name="sensory",
            model=str(folder),
            device="cpu",
            dtype="float32",
            context=400,
            max_new_tokens=4,
            prefill_chunk=16,
        )
    )


def run(engine: Engine, *turns: Turn) -> list[Measured]:
    return list(Stream(engine, Classifier(config.load())).run(turns))


def test_the_small_model_reads_and_answers_and_a_larger_one_says_what_was_planned(engine: Engine) -> None:
    alone, agreed, other = run(
        engine,
        Turn("a", "where is the cup"),
        Turn("b", "where is the lamp", larger=SAME),
        Turn("c", "where is the sofa", larger="nowhere ."),
    )
    assert alone.request.input_excess is not None
    assert alone.request.levels_tried == 1
    assert (agreed.request.levels_tried, agreed.request.disagreement) == (2, 0.0)
    assert other.request.answer == "nowhere ."
    assert other.request.disagreement > 0


def test_a_verifier_judges_and_a_person_overrules_it(engine: Engine) -> None:
    text = ASKED.messages[-1].content
    right, overruled = run(
        engine,
        Turn("a", text, larger=ASKED.answer, small_too=False, asked=ASKED),
        Turn("b", text, larger=ASKED.answer, small_too=False, asked=ASKED, told=0.0),
    )
    assert (right.scored.outcome, right.scored.outcome_source) == (1.0, "reference")
    assert (overruled.scored.outcome, overruled.scored.outcome_source) == (0.0, "user")
    assert overruled.scored.revision == 1


def test_the_next_turn_tells_how_the_one_before_turned_out(engine: Engine) -> None:
    first, second, third = run(
        engine,
        Turn("a", "where is the cup", larger="in the hall ."),
        Turn("a", "no that is wrong", larger="in the attic ."),
        Turn("a", "thank you", larger="you are welcome ."),
    )
    assert (first.scored.outcome, first.scored.outcome_source) == (0.0, "correction")
    assert (second.scored.outcome, second.scored.outcome_source) == (0.6, "uncorrected")
    assert third.scored.outcome is None
