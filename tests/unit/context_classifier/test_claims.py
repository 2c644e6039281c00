"""Whether an utterance is at odds with an earlier one; words are of one sort where the first letter is the same."""

import pytest

from nodes.context_classifier import claims
from nodes.context_classifier.claims import Heard

ROWS: dict[str, int] = {}
SORTS = ("kitchen hall attic", "tom anna eva", "monday tuesday sunday", "cup book lamp", "on off")
for number, words in enumerate(SORTS):
    for place, word in enumerate(words.split()):
        ROWS[word] = 100 * number + place


def row(word: str) -> int:
    return ROWS.get(word, -1)


def sort(one: int, other: int) -> float:
    return 0.9 if one // 100 == other // 100 else 0.0


def hear(text: str) -> Heard:
    return claims.hear(text, row)


def odds(new: str, *earlier: str, likeness: float = 0.6) -> float:
    return claims.conflict(hear(new), [(hear(text), likeness) for text in earlier], sort).strength


@pytest.mark.parametrize(
    ("earlier", "new"),
    [
        ("the cup is in the hall", "the cup is in the kitchen"),
        ("tom works for anna", "tom works for eva"),
        ("the visit of tom is on monday", "tom comes on sunday"),
        ("my sister is thirty years old", "my sister is thirty one years old"),
        ("the zither is in the gazebo", "the zither is in the scullery"),
        ("my name is kasimir", "my name is zebulon"),
        ("it is 20 degrees in the attic", "it is 30 degrees in the attic"),
        (
            "the book is in the hall and the cup is in the hall",
            "the lamp is in the attic and the cup is in the kitchen",
        ),
    ],
)
def test_another_value_of_the_same_thing_is_a_contradiction(earlier: str, new: str) -> None:
    assert odds(new, earlier) > 0.8


@pytest.mark.parametrize(
    ("earlier", "new"),
    [
        ("the cup is in the hall", "the book is in the hall"),
        ("the cup is in the hall", "the book is in the kitchen"),
        ("tom has a dog", "eva has a cat"),
        ("the cup is in the hall", "the cup is in the hall"),
        ("is the cup in the hall", "is the cup in the kitchen"),
        ("where does tom keep the cup", "where does tom keep the book"),
        ("what is 3 plus 4", "what is 3 plus 5"),
        ("sort 3 4 5", "sort 3 4 9"),
        ("turn on the lamp in the hall", "turn off the lamp in the kitchen"),
        ("it is 20 degrees in the hall", "it is 20 degrees in the attic"),
        ("tom works for anna", "the boss of tom is anna"),
        ("the cup is in the hall", "where is the cup"),
    ],
)
def test_what_can_both_hold_is_none(earlier: str, new: str) -> None:
    assert odds(new, earlier) == 0


@pytest.mark.parametrize(
    ("earlier", "new"),
    [
        ("the door is open", "the door is not open"),
        ("the door is not open", "the door is open"),
        ("tom works for anna", "it is not true that tom works for anna"),
        ("the lamp in the hall is on", "the lamp in the hall isn't on"),
    ],
)
def test_a_denial_is_a_contradiction(earlier: str, new: str) -> None:
    assert odds(new, earlier) > 0.8


def test_the_denial_of_something_else_is_none() -> None:
    assert odds("the lamp in the kitchen is not on", "the lamp in the hall is on") == 0


@pytest.mark.parametrize(
    ("earlier", "new"),
    [
        ("the cup is in the hall", "no, in the kitchen"),
        ("the cup is in the hall", "no it is in the kitchen"),
        ("what day is 3 days after monday", "sorry i meant tuesday"),
        ("set the lamp to 20", "no i meant 25"),
        ("turn on the lamp in the kitchen", "not in the kitchen but in the hall"),
        ("where is the cup", "wait where is the book"),
    ],
)
def test_a_repair_with_something_in_the_place_of_another_takes_back(earlier: str, new: str) -> None:
    assert odds(new, earlier) > 0.9


@pytest.mark.parametrize("new", ["no thank you", "no", "sorry to bother you", "no idea how a quasar shines"])
def test_a_no_that_puts_nothing_in_the_place_of_anything_takes_nothing_back(new: str) -> None:
    assert odds(new, "what is 3 plus 4", likeness=0.1) == 0


@pytest.mark.parametrize(
    "new", ["that is wrong", "no, that's not true!", "sorry, i was wrong", "no it is not", "it isn't"]
)
def test_a_denial_with_nothing_of_its_own_denies_what_was_just_said(new: str) -> None:
    assert odds(new, "the cup is in the hall", likeness=0.1) > 0.8
    assert odds(new) == 0


def test_a_repair_of_what_was_said_long_ago_is_none() -> None:
    assert odds("no in the kitchen", "the cup is in the hall", "what is 3 plus 4", "what is 5 plus 6") == 0


def test_the_last_word_on_a_matter_counts() -> None:
    assert odds("the cup is in the kitchen", "the cup is in the hall", "the cup is in the kitchen") == 0
    assert odds("the cup is in the hall", "the cup is in the hall", "the cup is in the kitchen") > 0.8


def test_what_is_built_alike_is_parallel() -> None:
    assert claims.parallel(hear("tom works for anna"), hear("eva works for tom"), sort) == 1
    assert claims.parallel(hear("where is the cup"), hear("the cup is in the hall"), sort) == 0


def test_kinship_is_the_share_of_subjects_that_came_up() -> None:
    earlier = [hear("the cup is in the hall")]
    assert claims.kinship(hear("where is the book"), earlier, sort, lambda _: 1.0) == 1
    assert claims.kinship(hear("who is tom"), earlier, sort, lambda _: 1.0) == 0


def test_a_frequent_word_counts_less_for_kinship_than_a_rare_one() -> None:
    earlier = [hear("the cup is in the hall")]
    new = hear("does tom know the cup")
    heavy, light = (
        claims.kinship(new, earlier, sort, lambda row, tom=weight: tom if row == ROWS["tom"] else 0.5)
        for weight in (0.9, 0.1)
    )
    assert light > heavy


def test_what_a_run_has_in_common_is_kept_or_not() -> None:
    run = [hear("what is 3 plus 4"), hear("what is 8 plus 1")]
    assert claims.kept(hear("what is 2 plus 2"), run) == 1
    assert claims.kept(hear("how much is 9 minus 5"), run) == 0
    assert claims.kept(hear("where is the cup"), run[:1]) == 1


def test_what_is_said_of_something_else_does_not_agree() -> None:
    told = hear("emma will visit us on sunday")
    assert claims.agrees(hear("emma will visit us on sunday"), told, sort)
    assert not claims.agrees(hear("paul will visit us on sunday"), told, sort)


def test_only_checksums_are_kept() -> None:
    import msgspec

    assert b"kasimir" not in msgspec.msgpack.encode(hear("my name is kasimir"))


@pytest.mark.parametrize(
    ("before", "new", "meant", "sure"),
    [
        ("where is the cup", "Where is the cup?", 1.0, 1.0),
        ("turn on the lamp", "turn on the lamp", 1.0, 0.0),
        ("next", "next", 1.0, 0.0),
        ("why", "why", 1.0, 0.0),
        ("what else is in the attic", "what else is in the attic", 1.0, 0.0),
        ("tell me where the cup is", "tell me where the cup is", 0.0, 1.0),
        ("what day is four days after monday", "which day comes four days after monday", 0.9, claims.AGAIN),
        ("what day is four days after monday", "which day comes four days after monday", 0.5, 0.0),
        ("what day is four days after monday", "what day is five days after monday", 1.0, 0.0),
        ("what is three minus one", "what is three minus three", 1.0, 0.0),
        ("where is the cup", "where is the lamp", 1.0, 0.0),
        ("the cup is in the hall", "the cup is in the hall", 1.0, 0.0),
        ("the cup is in the hall", "is the cup in the hall", 1.0, 0.0),
    ],
)
def test_who_asks_the_same_again_repeats(before: str, new: str, meant: float, sure: float) -> None:
    assert claims.repetition(hear(new), hear(before), meant) == sure
