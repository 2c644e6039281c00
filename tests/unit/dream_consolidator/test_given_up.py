"""A dream that rests on what was forgotten is given up; weights that do are learned anew before anything else."""

from __future__ import annotations

import msgspec
import pytest

from nodes.dream_consolidator.dream import Candidate, Dreamer, choose, not_worth
from nodes.dream_consolidator.job import JobFolder
from nodes.dream_consolidator.selection.select import Material, Question
from tests.unit.dream_consolidator.conftest import MATERIAL, MESSAGES, SETTINGS


@pytest.mark.parametrize("exchange", ["learned", "stops", "judges"])
def test_a_dream_that_rests_on_it_is_given_up_and_its_folder_removed(
    dreamer: Dreamer, unfinished: JobFolder, exchange: str
) -> None:
    assert dreamer.backlog().examples == 3
    assert dreamer.give_up([exchange, "another"]) == "d1"
    assert unfinished.given_up
    dreamer.clear()
    assert not unfinished.path.exists()
    assert dreamer.backlog().examples == 0


def test_a_dream_that_rests_on_none_of_it_is_gone_on_with(dreamer: Dreamer, unfinished: JobFolder) -> None:
    assert dreamer.give_up(["another"]) == ""
    assert dreamer.backlog().examples == 3
    assert not unfinished.given_up


def test_a_dream_whose_material_cannot_be_read_may_rest_on_it(dreamer: Dreamer, unfinished: JobFolder) -> None:
    (unfinished.path / "material.sealed").write_bytes(b"damaged")
    assert dreamer.give_up(["another"]) == "d1"


def test_a_level_that_must_learn_anew_waits_for_no_new_examples_and_goes_first() -> None:
    many = tuple(msgspec.structs.replace(MATERIAL.lessons[0], ident=str(number)) for number in range(50))
    questions = tuple(Question(ident=str(number), messages=MESSAGES) for number in range(50))
    enough = Material(lessons=many, development=(), held_out=questions)
    waited = Candidate(level="sensory", material=enough, fresh=50, dreamt_ns=1)
    due = Candidate(level="tactical", material=enough, fresh=0, dreamt_ns=2, due=True)
    assert not_worth(due, SETTINGS.dream) == ""
    assert choose([waited, due], SETTINGS.dream) == (due, "")
