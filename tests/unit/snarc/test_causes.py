"""What is planted, before anything is measured."""

import json
import re

import msgspec

from experiments.reference.facts import told
from experiments.reference.wording import plain
from experiments.snarc.causes import Making, Turn, planted
from experiments.snarc.phrases import NEVER_MET, URGENT
from nodes.context_classifier.arousal import URGENT as LISTED
from nodes.context_classifier.salience import DIMENSIONS

PLANTED = planted(3, each=2, ordinary=12, warm=4)


def conversations() -> dict[str, list[Turn]]:
    found: dict[str, list[Turn]] = {}
    for turn in PLANTED:
        found.setdefault(turn.session, []).append(turn)
    return found


def test_the_same_seed_plants_the_same() -> None:
    assert planted(3, each=2, ordinary=12, warm=4) == PLANTED
    assert planted(4, each=2, ordinary=12, warm=4) != PLANTED


def test_every_dimension_has_causes_and_there_are_controls() -> None:
    counted = [turn for turn in PLANTED if turn.counted]
    assert {turn.cause for turn in counted} == {*DIMENSIONS, "unrewarded", ""}
    assert sum(not turn.cause for turn in counted) == 12
    ways = {turn.how for turn in counted if turn.cause}
    assert len(ways) == len(Making.ways(Making.__new__(Making))) + 1, "urgent words are of two sorts"


def test_one_turn_of_a_conversation_is_counted_and_it_is_the_last() -> None:
    for turns in conversations().values():
        assert not any(turn.counted for turn in turns[:-1])
    assert sum(turns[-1].counted for turns in conversations().values()) == sum(turn.counted for turn in PLANTED)


def test_ordinary_conversations_contradict_nothing_they_were_told() -> None:
    for turns in conversations().values():
        if any(turn.cause for turn in turns):
            continue
        facts = [told([plain(turn.text)]).place for turn in turns]
        things = [thing for place in facts for thing in place]
        assert len(things) == len(set(things))


def test_what_is_planted_can_be_written_down_as_it_is() -> None:
    rows = [json.loads(msgspec.json.encode(turn.written())) for turn in PLANTED]
    assert {"text", "cause", "how", "larger", "told", "verified"} <= rows[0].keys()
    assert any(row["verified"] for row in rows)


def test_half_of_what_presses_says_so_in_words_that_are_listed() -> None:
    def listed(phrase: str) -> bool:
        return any(word in LISTED for word in re.findall(r"[a-z']+", phrase.replace("{question}", "")))

    half = len(URGENT) // 2
    assert all(listed(phrase) for phrase in URGENT[:half])
    assert not any(listed(phrase) for phrase in URGENT[half:])


def test_new_topics_are_all_different() -> None:
    assert len(set(NEVER_MET)) == len(NEVER_MET) >= 50
