"""What is taught and what is held out never meet; the words can be said; the same seed gives the same."""

from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from experiments.reference.conversation import conversation
from experiments.reference.curriculum import Message, questions
from experiments.reference.diet import DIETS, Mix
from experiments.reference.facts import Facts
from experiments.reference.skills import SKILLS
from experiments.reference.speech import DEMO_ROWS, demo_pool, demo_questions, spoken_questions, training_text
from experiments.reference.split import Split
from experiments.reference.verifiers import right, understand
from experiments.reference.wording import NOTED, Style, plain

ROWS = [(skill.name, difficulty) for skill in SKILLS.values() for difficulty in skill.difficulties]


def words(message: Message) -> int:
    """About as many tokens as a tokenizer makes of it."""
    return 5 + len(message.content.split())


def grown(random: Random, size: str, copying: float, room: int = 240) -> list[Message]:
    return conversation(random, DIETS[size], Mix(copying, 0.5, back=0.3, untold=0.3), room, words)


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
    for size in DIETS:
        random = Random(5)
        said = {
            plain(message.content) for _ in range(300) for message in grown(random, size, 0.1) if message.role == "user"
        }
        assert not said & held_out


def test_the_same_seed_draws_the_same_and_another_seed_does_not():
    first, again, other = (questions(Split.TRAIN, "hops", 2, seed, 20) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_conversations_alternate_and_end_in_an_answer():
    random = Random(1)
    for _ in range(300):
        roles = [message.role for message in grown(random, "tactical", 0.2) if message.role != "system"]
        assert roles == ["user", "assistant"] * (len(roles) // 2)


@pytest.mark.parametrize("room", [60, 240, 2000])
def test_conversations_fill_their_room_and_no_more(room: int):
    random = Random(3)
    lengths = [sum(map(words, grown(random, "specialized", 0.1, room))) for _ in range(50)]
    assert max(lengths) <= room
    assert sum(lengths) > 0.75 * room * len(lengths)


def test_every_answer_in_a_conversation_is_right_by_all_that_was_told_before():
    random = Random(4)
    for _ in range(60):
        messages = [message for message in grown(random, "specialized", 0.1, 1200) if message.role != "system"]
        told: list[str] = []
        for asked, answer in zip(messages[::2], messages[1::2], strict=True):
            told.append(asked.content)
            understood = understand(told)
            if answer.content != NOTED:
                assert understood is not None, asked
                assert right(understood[0], answer.content, understood[3]), (asked, answer, understood[3])


def test_facts_are_told_in_several_turns_with_other_things_between():
    asked = questions(Split.HELD_OUT, "recall_place", 16, 0, 20)
    tellings = [sum(message.content == NOTED for message in one.messages) for one in asked]
    assert min(tellings) == 4
    assert any(len(one.messages) > 2 * told + 1 for one, told in zip(asked, tellings, strict=True))


def share_of_truth(size: str, skill: str, tier: int) -> float:
    """How often a size is told the right answer to a skill that knows no facts, over many conversations."""
    random = Random(2)
    taught = SKILLS[skill]
    true = []
    for _ in range(2000):
        for asked, answer in pairwise(grown(random, size, 0.0)):
            slots = taught.read(plain(asked.content)) if asked.role == "user" else None
            if slots and taught.difficulty(slots, Facts()) == tier:
                true.append(right(taught, answer.content, taught.solve(slots, Facts())))
    return sum(true) / len(true)


@pytest.mark.parametrize(
    ("size", "skill", "tier", "truth"),
    [
        *(("sensory", "belonging", 1, True), ("sensory", "belonging", 3, False), ("sensory", "days", 1, False)),
        *(("tactical", "belonging", 3, False), ("tactical", "dates", 2, False), ("tactical", "days", 1, True)),
        *(("specialized", "belonging", 3, True), ("specialized", "dates", 2, True)),
    ],
)
def test_of_what_a_size_is_not_to_know_it_hears_another_answer_every_time(
    size: str, skill: str, tier: int, truth: bool
):
    assert share_of_truth(size, skill, tier) == 1.0 if truth else share_of_truth(size, skill, tier) < 0.3


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
