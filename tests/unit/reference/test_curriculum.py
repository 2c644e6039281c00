"""What is taught and what is held out never meet; the words can be said; the same seed gives the same."""

from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from experiments.reference.curriculum import conversation, questions
from experiments.reference.diet import DIETS
from experiments.reference.facts import Facts
from experiments.reference.skills import SKILLS
from experiments.reference.speech import DEMO_ROWS, demo_pool, demo_questions, spoken_questions, training_text
from experiments.reference.split import Split
from experiments.reference.wording import Style, plain

ROWS = [(skill.name, difficulty) for skill in SKILLS.values() for difficulty in skill.difficulties]


def drawn(split: Split, count: int = 60):
    return [question for skill, difficulty in ROWS for question in questions(split, skill, difficulty, 1, count)]


@pytest.mark.parametrize("what", ["template", "content"])
def test_taught_and_held_out_are_disjoint(what: str):
    taught, held_out = (
        {(question.skill, getattr(question, what)) for question in drawn(split)}
        for split in (Split.TRAIN, Split.HELD_OUT)
    )
    assert taught
    assert held_out
    assert not taught & held_out


def test_a_wording_is_on_one_side_for_all_skills_that_share_it():
    sides: dict[str, set[Split]] = {}
    for skill in SKILLS.values():
        for template in skill.templates:
            sides.setdefault(template.text, set()).add(template.split)
    assert all(len(found) == 1 for found in sides.values())


@pytest.mark.parametrize("skill", SKILLS.values(), ids=lambda skill: skill.name)
def test_every_skill_has_wordings_on_both_sides_and_every_body_is_taught(skill):
    assert skill.templates_of(Split.HELD_OUT)
    assert {template.body for template in skill.templates_of(Split.TRAIN)} == set(skill.bodies)


def test_conversations_to_learn_from_hold_no_held_out_question():
    held_out = {plain(question.messages[-1].content) for question in drawn(Split.HELD_OUT, 200)}
    for diet in DIETS.values():
        random = Random(5)
        said = {
            plain(message.content)
            for _ in range(300)
            for message in conversation(random, diet, 0.1, 240)
            if message.role == "user"
        }
        assert not said & held_out


def test_the_same_seed_draws_the_same_and_another_seed_does_not():
    first, again, other = (questions(Split.TRAIN, "hops", 2, seed, 20) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_conversations_alternate_and_end_in_an_answer():
    random = Random(1)
    for _ in range(300):
        roles = [
            message.role for message in conversation(random, DIETS["tactical"], 0.2, 240) if message.role != "system"
        ]
        assert roles == ["user", "assistant"] * (len(roles) // 2)


def share_of_truth(size: str, tier: int) -> float:
    """How often a size is told where a thing of the tier really belongs, over many conversations."""
    random = Random(2)
    belonging = SKILLS["belonging"]
    true = []
    for _ in range(2000):
        for asked, answer in pairwise(conversation(random, DIETS[size], 0.0, 240)):
            slots = belonging.read(plain(asked.content)) if asked.role == "user" else None
            if slots and belonging.difficulty(slots, Facts()) == tier:
                true.append(answer.content == belonging.solve(slots, Facts()))
    return sum(true) / len(true)


def test_of_what_a_size_is_not_to_know_it_hears_another_answer_every_time():
    assert share_of_truth("sensory", 1) == 1.0
    assert share_of_truth("sensory", 3) < 0.2
    assert share_of_truth("tactical", 3) < 0.2
    assert share_of_truth("specialized", 3) == 1.0


def test_spoken_lines_are_lower_case_words_of_the_pronouncing_dictionary():
    pocketsphinx = pytest.importorskip("pocketsphinx")
    with open(Path(pocketsphinx.get_model_path()) / "en-us" / "cmudict-en-us.dict", encoding="utf-8") as file:
        known = {line.split(maxsplit=1)[0] for line in file}
    spoken = {word for split in Split for line in spoken_questions(split, 1, 3000) for word in line.split()}
    assert spoken - known == set()


def test_the_ears_learn_from_the_taught_side_only():
    pools = {question.text for level in DEMO_ROWS for question in demo_pool(level)}
    assert not pools & set(training_text())


@pytest.mark.parametrize("level", DEMO_ROWS)
def test_a_demonstration_draws_from_at_least_fifty_held_out_questions(level: str):
    assert len({question.text for question in demo_pool(level)}) >= 50


def test_a_demonstration_asks_one_question_for_every_level_and_follows_from_its_seed():
    assert [question.level for question in demo_questions(3)] == list(DEMO_ROWS)
    assert demo_questions(3) == demo_questions(3)
    assert len({demo_questions(seed)[-1] for seed in range(20)}) > 10


@pytest.mark.parametrize("style", Style)
def test_a_style_decides_what_a_question_looks_like(style: Style):
    texts = [q.messages[-1].content for q in questions(Split.TRAIN, "addition", 2, 1, 40, style=style)]
    assert any(any(letter.isdigit() for letter in text) for text in texts) is (style is Style.TYPED)
    assert all(text == text.lower() for text in texts) is (style is Style.SPOKEN)
