"""What simulated people mean to say, and how they take an answer."""

from random import Random

import msgspec
import pytest

from experiments.conversations import world
from experiments.conversations.person import Person
from experiments.conversations.script import JUDGED, Kind, Saying, scripts
from experiments.reference.verifiers import understand
from nodes.dialogue.patterns import pattern
from protocol.messages.dialogue import Answer

WORLD = world.load()
ALWAYS = msgspec.structs.replace(WORLD, wrong=world.Wrong(correct=1.0, again=0.0))
AGAIN = msgspec.structs.replace(WORLD, wrong=world.Wrong(correct=0.0, again=1.0))
ASKED = Saying(Kind.QUESTION, "what is 2 plus 3")


@pytest.fixture(scope="module")
def made() -> list[list[Saying]]:
    return scripts(WORLD, pattern.read(), 0, 60)


def answer(text: str, by: str = "sensory", why: str = "") -> Answer:
    return Answer(exchange="e", session="s", question="q", text=text, answered_by=by, why=why)


def test_the_same_seed_gives_the_same_conversations_and_another_one_others(made: list[list[Saying]]) -> None:
    assert scripts(WORLD, pattern.read(), 0, 60) == made
    assert scripts(WORLD, pattern.read(), 1, 60) != made


def test_a_conversation_has_as_many_turns_as_the_world_says_and_thanks(made: list[list[Saying]]) -> None:
    for script in made:
        assert WORLD.turns.least <= len(script) <= WORLD.turns.most + 1


def test_everything_that_is_judged_has_an_answer_in_the_light_of_what_was_told(made: list[list[Saying]]) -> None:
    for script in made:
        for at, saying in enumerate(script):
            if saying.kind in JUDGED:
                assert understand([one.text for one in script[: at + 1]]) is not None, saying


def test_every_phrase_for_a_pattern_is_answered_by_it_and_no_question_by_any(made: list[list[Saying]]) -> None:
    known = pattern.load()
    for saying in (one for script in made for one in script):
        found = known.match(saying.text)
        assert (found.name if found else "") == saying.pattern


def test_a_repeated_question_was_asked_in_the_conversation_before(made: list[list[Saying]]) -> None:
    kinds = {saying.kind for script in made for saying in script}
    assert kinds == {Kind.COMMON, Kind.QUESTION, Kind.TELL, Kind.ABOUT, Kind.REPEAT, Kind.PATTERN}
    for script in made:
        for at, saying in enumerate(script):
            if saying.kind is Kind.REPEAT:
                assert saying.text in [one.text for one in script[:at]]


def said(person: Person) -> Saying:
    saying = person.says()
    assert saying is not None
    return saying


def test_a_wrong_answer_is_corrected_next_and_a_right_one_is_not() -> None:
    for text, following in (("5 .", None), ("6 .", Kind.CORRECT)):
        person = Person([ASKED], ALWAYS, Random(0))
        right = person.judge(said(person), answer(text))
        assert right is (following is None)
        person.reacts(ASKED, right)
        after = person.says()
        assert (after.kind if after else None) is following


def test_a_correction_may_tell_the_right_answer() -> None:
    told = set()
    for seed in range(20):
        person = Person([ASKED], ALWAYS, Random(seed))
        person.reacts(said(person), False)
        told.add(said(person).text)
    assert told == {"no, that is wrong", "that is not right", "no, 2 + 3 = 5"}


def test_a_question_is_asked_once_more_and_then_no_more() -> None:
    person = Person([ASKED], AGAIN, Random(0))
    person.reacts(said(person), False)
    again = said(person)
    assert (again.kind, again.text) == (Kind.AGAIN, ASKED.text)
    person.reacts(again, False)
    assert person.says() is None


def test_silence_is_wrong_and_what_nobody_can_tell_is_not_judged() -> None:
    person = Person([ASKED, Saying(Kind.TELL, "the cup is in the hall")], WORLD, Random(0))
    assert person.judge(said(person), None) is False
    assert person.judge(said(person), answer("noted .")) is None


def test_a_pattern_is_right_where_that_pattern_answered() -> None:
    saying = Saying(Kind.PATTERN, "what time is it", "time")
    person = Person([saying], WORLD, Random(0))
    person.says()
    assert person.judge(saying, answer("It is noon.", "pattern", "pattern time")) is True
    assert person.judge(saying, answer("I have no clock.", "pattern", "pattern time; time is not known")) is True
    assert person.judge(saying, answer("It is noon.", "pattern", "pattern time_ahead")) is False
    assert person.judge(saying, answer("It is noon.", "sensory", "pattern time")) is False


def test_feedback_is_given_on_a_share_and_is_sometimes_wrong() -> None:
    sure = msgspec.structs.replace(WORLD, feedback=world.Feedback(share=1.0, mistaken=0.0))
    wrong = msgspec.structs.replace(WORLD, feedback=world.Feedback(share=1.0, mistaken=1.0))
    never = msgspec.structs.replace(WORLD, feedback=world.Feedback(share=0.0, mistaken=0.0))
    assert Person([], sure, Random(0)).feedback(True) == 1.0
    assert Person([], wrong, Random(0)).feedback(True) == 0.0
    assert Person([], never, Random(0)).feedback(True) is None
    assert Person([], sure, Random(0)).feedback(None) is None
