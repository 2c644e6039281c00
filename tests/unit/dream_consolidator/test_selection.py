from __future__ import annotations

from collections import Counter
from itertools import pairwise
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.dream_consolidator import settings as configuration
from nodes.dream_consolidator.collector.examples import Example
from nodes.dream_consolidator.selection.drawing import diverse, inclusion, shares, systematic
from nodes.dream_consolidator.selection.nearness import Nearness
from nodes.dream_consolidator.selection.select import (
    Material,
    best_of_each_question,
    select,
    without_judging_turns,
)
from nodes.dream_consolidator.selection.split import Split, template
from protocol.messages.model import ChatMessage

SETTINGS = configuration.load().select
SECRET = b"k" * 32
SPLIT = Split.of(SETTINGS, SECRET, 1)
LEVELS = ["sensory", "tactical", "specialized"]


def said(role: str, content: str) -> ChatMessage:
    return ChatMessage(role=role, content=content)


def example(question: str, **changes: object) -> Example:
    told = {
        "exchange": f"x/{question}",
        "messages": (said("user", question),),
        "answer": f"answer to {question}",
        "level": "sensory",
        "version": "v",
        "context": "novel",
        "cluster": 0,
        "salience": 0.6,
        "score": 0.0,
        "verifier": "",
        "confidence": 0.5,
        "received_ns": 0,
        **changes,
    }
    return Example(**told)


def chosen(examples: list[Example], *, seed: int = 0, turn: int = 1, **changes: object) -> Material:
    return select(
        examples,
        student="sensory",
        levels=LEVELS,
        settings=msgspec.structs.replace(SETTINGS, **changes),
        secret=SECRET,
        random=Random(seed),
        turn=turn,
    )


def named(number: int) -> str:
    """A question of a template of its own."""
    return "where is " + "".join(chr(ord("a") + int(digit)) for digit in f"{number:04}")


def questions_on(wanted: str, count: int) -> list[str]:
    return [question for question in map(named, range(10_000)) if SPLIT.side(question) == wanted][:count]


def test_every_question_falls_on_one_side_whatever_its_case_punctuation_and_numbers() -> None:
    sides = Counter(SPLIT.side(named(number)) for number in range(4000))
    assert sides["judge"] == pytest.approx(4000 * SETTINGS.held_out, rel=0.1)
    assert sides["rest"] == pytest.approx(4000 * SETTINGS.turn, rel=0.3)
    assert sides["develop"] == pytest.approx(4000 * SETTINGS.development, rel=0.2)
    for number in range(50):
        question = named(number)
        assert SPLIT.side(question) == SPLIT.side(f" {question.upper()}?! ")
        assert SPLIT.side(f"{question} plus {number}") == SPLIT.side(f"{question} plus forty-two")


def test_a_template_is_the_words_with_every_number_made_the_same() -> None:
    assert template("What is 23 plus 4?") == "what is 0 plus 0"
    assert template("what is twenty three plus four") == "what is 0 plus 0"
    assert template("What is 23 minus 4?") != template("What is 23 plus 4?")


@given(st.text(max_size=30), st.integers(0, 100))
def test_what_judges_next_never_taught_what_is_in_force(question: str, turn: int) -> None:
    judged_by, in_force = Split.of(SETTINGS, SECRET, turn + 1), Split.of(SETTINGS, SECRET, turn)
    if judged_by.side(question) == "judge":
        assert in_force.side(question) in ("judge", "rest")


def test_in_the_long_run_every_template_judges_and_every_template_teaches() -> None:
    turns = [Split.of(SETTINGS, SECRET, turn) for turn in range(round(1 / SETTINGS.turn))]
    for number in range(100):
        sides = {turn.side(named(number)) for turn in turns}
        assert {"judge", "learn"} <= sides


@given(st.data())
def test_over_dreams_promotions_and_rollbacks_nothing_is_judged_by_what_it_learned(data: st.DataObject) -> None:
    """A level's life: each dream trains on its turn, and is measured against weights in force that learned earlier."""
    examples = [example(f"{named(number % 40)} {'please ' * (number % 3)}{number}") for number in range(80)]
    past: list[tuple[int, set[str]]] = [(0, set())]
    for event in data.draw(st.lists(st.sampled_from(["promoted", "refused", "rolled back"]), max_size=6)):
        turn, learned = past[-1]
        material = chosen(examples, turn=turn + 1, near=1.0)
        judging = {template(question.messages[-1].content) for question in material.held_out}
        teaching = {
            template(message.content)
            for lesson in (*material.lessons, *material.development)
            for message in lesson.messages
        }
        assert not judging & (teaching | learned)
        if event == "promoted":
            past.append((turn + 1, teaching))
        elif event == "rolled back" and len(past) > 1:
            past.pop()


def test_a_question_that_is_nearly_one_that_judges_does_not_teach() -> None:
    (judging,), learned = questions_on("judge", 1), questions_on("learn", 5)
    near = [each for each in (f"{judging} {word}" for word in map(named, range(60))) if SPLIT.side(each) == "learn"][:1]
    polite = [each for each in (f"{word} so {judging}" for word in learned) if SPLIT.side(each) == "learn"]
    material = chosen([example(question) for question in [judging, *near, *polite, *learned]])
    asked = {lesson.messages[-1].content for lesson in material.lessons}
    assert asked == set(learned)
    assert near or polite


def test_nearness_is_containment_of_word_pairs() -> None:
    near = Nearness(["where is the red cup", "stop", ""], 0.8)
    assert "Where is the red cup?" in near
    assert "please tell me where is the red cup now" in near
    assert "stop" in near
    assert "" not in near
    assert "where is the blue cup" not in near
    assert "cup red the is where" not in near
    assert "the red cup" in near, "all of it stands in the longer one"


@given(
    st.lists(st.lists(st.sampled_from("abcde"), max_size=6), max_size=8), st.lists(st.sampled_from("abcde"), max_size=6)
)
def test_nearness_finds_what_comparing_all_pairs_finds(held: list[list[str]], asked: list[str]) -> None:
    def pairs(words: list[str]) -> set[tuple[str, ...]]:
        return set(pairwise(words)) if len(words) > 1 else {(word,) for word in words}

    mine = pairs(asked)
    others = [pairs(words) for words in held]
    expected = any(mine and other and len(mine & other) >= 0.6 * min(len(mine), len(other)) - 1e-9 for other in others)
    assert (" ".join(asked) in Nearness([" ".join(words) for words in held], 0.6)) == expected


def test_what_judges_is_never_a_lesson_nor_in_the_context_of_one() -> None:
    judging = questions_on("judge", 20)
    learned = questions_on("learn", 20)
    mixed = [
        example(
            question,
            messages=(
                said("system", "be brief"),
                said("user", earlier),
                said("assistant", "yes"),
                said("user", "and then"),
                said("assistant", "no"),
                said("user", question),
            ),
        )
        for earlier, question in zip(judging, learned, strict=True)
    ]
    material = chosen([*(example(question) for question in judging), *mixed])
    seen = {message.content for lesson in (*material.lessons, *material.development) for message in lesson.messages}
    assert len(material.lessons) == 20
    assert len(material.held_out) >= 20
    assert not seen & {question.messages[-1].content for question in material.held_out}


def test_a_conversation_is_cut_behind_what_judges_and_its_answer_is_asked_anew() -> None:
    (judging,), (learned,) = questions_on("judge", 1), questions_on("learn", 1)
    messages = (said("system", "s"), said("user", judging), said("assistant", "a"), said("user", learned))
    cut = without_judging_turns(messages, SPLIT)
    assert cut == (said("system", "s"), said("user", learned))
    (lesson,) = chosen([example(learned, messages=messages, level="tactical", score=1.0)]).lessons
    assert (lesson.answer, lesson.source, lesson.verified) == ("", "teacher", False)


@pytest.mark.parametrize(
    ("level", "score", "confidence", "answer", "source", "verified"),
    [
        ("tactical", 1.0, 0.1, True, "teacher", True),
        ("specialized", None, 0.95, True, "teacher", False),
        ("specialized", None, 0.5, False, "teacher", False),
        ("tactical", 0.0, 0.99, False, "teacher", False),
        ("sensory", 1.0, 0.1, True, "self", True),
        ("sensory", None, 0.99, False, "teacher", False),
        ("sensory", 0.0, 0.99, False, "teacher", False),
        ("unknown", 1.0, 0.99, False, "teacher", False),
    ],
)
def test_only_trusted_answers_teach_and_only_mastered_ones_are_rehearsed(
    level: str, score: float | None, confidence: float, answer: bool, source: str, verified: bool
) -> None:
    (question,) = questions_on("learn", 1)
    (lesson,) = chosen([example(question, level=level, score=score, confidence=confidence)]).lessons
    assert (bool(lesson.answer), lesson.source, lesson.verified) == (answer, source, verified)


def test_of_several_answers_to_a_question_the_best_judged_then_the_largest_then_the_latest_counts() -> None:
    rank = {level: index for index, level in enumerate(LEVELS)}
    answers = [
        example("q", exchange="wrong", level="specialized", score=0.0),
        example("q", exchange="unjudged", level="specialized", score=None),
        example("q", exchange="right, small", level="sensory", score=1.0),
        example("q", exchange="right, early", level="tactical", score=1.0, received_ns=1),
        example("q", exchange="right, late", level="tactical", score=1.0, received_ns=2),
    ]
    while answers:
        (best,) = best_of_each_question(answers, rank, SECRET)
        assert best.exchange == answers.pop().exchange


def test_strata_share_the_places_however_salient_one_of_them_is() -> None:
    loud = [example(question, salience=1.0, cluster=1) for question in questions_on("learn", 300)[:200]]
    faint = [example(question, salience=0.01, cluster=2) for question in questions_on("learn", 300)[200:230]]
    material = chosen(loud + faint, lessons=100, rehearsal=0.0)
    assert Counter(lesson.stratum for lesson in material.lessons) == {"novel/1": 70, "novel/2": 30}


def test_rehearsal_takes_no_more_than_its_share() -> None:
    questions = questions_on("learn", 400)
    known = [example(question, score=1.0) for question in questions[:200]]
    new = [example(question) for question in questions[200:]]
    material = chosen(known + new, lessons=100, rehearsal=0.3)
    assert Counter(lesson.source for lesson in material.lessons) == {"teacher": 70, "self": 30}
    assert material.taught == 70


def test_salient_examples_are_drawn_more_often_and_weigh_less() -> None:
    questions = questions_on("learn", 100)
    examples = [example(question, salience=0.9 if number % 2 else 0.1) for number, question in enumerate(questions)]
    salient = {f"x/{question}" for question in questions[1::2]}
    material = chosen(examples, lessons=40, rehearsal=0.0)
    heavy = {lesson.weight for lesson in material.lessons if lesson.ident not in salient}
    light = {lesson.weight for lesson in material.lessons if lesson.ident in salient}
    assert sum(lesson.ident in salient for lesson in material.lessons) > 25
    assert min(heavy) / max(light) == pytest.approx(9**0.6)
    assert sum(lesson.weight for lesson in material.lessons) == pytest.approx(len(material.lessons))


def test_without_a_shortage_everything_is_taken_and_weighs_the_same() -> None:
    material = chosen([example(question, salience=0.3) for question in questions_on("learn", 20)])
    assert [lesson.weight for lesson in material.lessons] == [1.0] * 20


def test_what_judges_is_drawn_without_regard_to_salience() -> None:
    questions = questions_on("judge", 100)
    dull = chosen([example(question, salience=0.0) for question in questions], judged=30)
    loud = chosen([example(question, salience=number / 100) for number, question in enumerate(questions)], judged=30)
    assert [each.ident for each in dull.held_out] == [each.ident for each in loud.held_out]
    assert len(dull.held_out) == 30


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 50), max_size=6), st.integers(0, 200))
def test_shares_give_out_all_places_that_can_be_filled_evenly(sizes: dict[str, int], places: int) -> None:
    given_out = shares(sizes, places)
    assert sum(given_out.values()) == min(places, sum(sizes.values()))
    unfilled = [count for name, count in given_out.items() if count < sizes[name]]
    assert not unfilled or max(unfilled) - min(unfilled) <= 1
    assert all(count <= sizes[name] for name, count in given_out.items())
    assert not unfilled or all(count <= max(unfilled) + 1 for count in given_out.values())


@given(st.lists(st.floats(0.01, 1.0), min_size=1, max_size=60), st.data())
def test_systematic_drawing_takes_exactly_as_many_as_asked(sizes: list[float], data: st.DataObject) -> None:
    places = data.draw(st.integers(0, len(sizes)))
    start = data.draw(st.floats(0.001, 0.999))
    chances = inclusion(sizes, places)
    assert sum(chances) == pytest.approx(places)
    assert all(0 <= chance <= 1 for chance in chances)
    drawn = systematic(chances, start)
    assert len(drawn) == len(set(drawn)) == places


def test_each_is_drawn_with_exactly_its_chance() -> None:
    chances = inclusion([0.9, 0.1, 0.5, 0.5, 0.7, 0.3], 3)
    marks = 2000
    counts = Counter(index for mark in range(marks) for index in systematic(chances, (mark + 0.5) / marks))
    for index, chance in enumerate(chances):
        assert counts[index] / marks == pytest.approx(chance, abs=2 / marks)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0.01, 1.0)), min_size=1, max_size=40), st.data())
def test_templates_take_turns_with_exact_chances(members: list[tuple[str, float]], data: st.DataObject) -> None:
    members.sort()
    names, sizes = [name for name, _ in members], [size for _, size in members]
    places = data.draw(st.integers(0, len(members)))
    chances = diverse(names, sizes, places)
    assert sum(chances) == pytest.approx(places)
    assert all(-1e-9 <= chance <= 1 + 1e-9 for chance in chances)
    taken = Counter(names[index] for index in systematic(chances, data.draw(st.floats(0.001, 0.999))))
    assert sum(taken.values()) == places
    had = Counter(names)
    rounds = max(taken.values(), default=0)
    assert all(taken[name] >= min(had[name], rounds - 2) for name in had), (
        "none is taken from thrice before others twice"
    )


def test_distinct_templates_come_before_any_comes_twice() -> None:
    crowd = [example(f"how many are {number}", salience=1.0) for number in range(100)]
    others = [example(question, salience=0.05) for question in questions_on("learn", 30)]
    turn = next(turn for turn in range(1, 20) if Split.of(SETTINGS, SECRET, turn).side("how many are 1") == "learn")
    many = chosen(crowd + others, lessons=20, rehearsal=0.0, turn=turn)
    assert sum(lesson.ident.startswith("x/how") for lesson in many.lessons) == 1
    assert len({template(lesson.messages[-1].content) for lesson in many.lessons}) == 20


def test_with_one_template_each_chances_are_in_proportion_to_size() -> None:
    sizes = [0.9, 0.1, 0.5, 0.5]
    assert diverse(list("abcd"), sizes, 2) == pytest.approx(inclusion(sizes, 2))
    assert diverse(list("aaaa"), sizes, 2) == pytest.approx(inclusion(sizes, 2))


def test_judging_questions_carry_their_template_as_a_number_and_what_was_accepted() -> None:
    first, second = questions_on("judge", 2)
    asked = [
        example(f"{first} 1", score=1.0, answer="here"),
        example(f"{first} 2", score=0.0),
        example(f"{second} 1"),
    ]
    turn = next(
        turn
        for turn in range(20)
        if all(Split.of(SETTINGS, SECRET, turn).side(each.question) == "judge" for each in asked)
    )
    found = {question.ident: question for question in chosen(asked, turn=turn).held_out}
    one, other, third = (found[each.exchange] for each in asked)
    assert one.cluster == other.cluster != third.cluster
    assert (one.accepted, other.accepted, third.accepted) == ("here", "", "")


def test_places_that_rehearsal_does_not_fill_teach() -> None:
    material = chosen([example(question) for question in questions_on("learn", 200)], lessons=100, rehearsal=0.3)
    assert len(material.lessons) == 100
