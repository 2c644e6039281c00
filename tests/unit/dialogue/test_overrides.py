"""What overrules trust and price, each with its reason in the answer's `why`."""

from dataclasses import replace

import msgspec

from nodes.dialogue import critical
from nodes.dialogue.choice import ChoiceSettings, choose
from nodes.dialogue.critical import NOTHING
from nodes.dialogue.overrides import Rule, of_words
from nodes.trust_ledger.features import Query
from protocol.messages.trust import TrustModel
from tests.unit.dialogue.test_choice import LEVELS, SETTINGS, row, situation

GOOD = (row("sensory", 0.95), row("tactical", 0.97), row("specialized", 0.99))


def test_a_question_marked_as_critical_goes_to_the_most_capable_level() -> None:
    choice = choose(LEVELS, situation(*GOOD, critical=of_words("may I", True, NOTHING)), SETTINGS)
    assert (choice.level, choice.overruled_by) == ("specialized", Rule.CRITICAL)
    assert "much depends on it" in choice.why


def test_what_is_anchored_as_critical_needs_no_mark_and_other_words_for_it_are_not_noticed() -> None:
    shipped = critical.load()
    assert of_words("I have chest PAIN!", False, shipped) == "it is about an injury or an illness"
    assert not of_words("there is a chest painting", False, shipped)
    assert not of_words("my heart feels odd", False, shipped), "stated in the module: only phrases and the asker's word"


def test_after_an_answer_that_was_found_wrong_the_most_capable_level_answers() -> None:
    choice = choose(LEVELS, situation(*GOOD, found_wrong="its asker"), SETTINGS)
    assert (choice.level, choice.overruled_by) == ("specialized", Rule.FOUND_WRONG)
    assert "found wrong by its asker" in choice.why


def test_a_novel_question_is_left_to_the_most_capable_level_until_others_have_shown_enough_there() -> None:
    few = [row(one.level, one.mean, context="novel", evidence=7.5) for one in GOOD]
    enough = [msgspec.structs.replace(one, evidence=8.5) for one in few]
    unproved = choose(LEVELS, replace(situation(*few), context="novel"), SETTINGS)
    assert (unproved.level, unproved.overruled_by) == ("specialized", Rule.NOVEL)
    assert "only 7.5 of 8 outcomes in novel" in unproved.why
    shown = choose(LEVELS, replace(situation(*enough), context="novel"), SETTINGS)
    assert (shown.level, shown.overruled_by) == ("sensory", None)


def test_where_replay_proved_no_cheaper_choice_the_most_capable_level_answers() -> None:
    choice = choose(LEVELS, situation(*GOOD, proved=False), SETTINGS)
    assert (choice.level, choice.overruled_by) == ("specialized", Rule.UNPROVED)
    assert "replay" in choice.why
    assert choose(LEVELS, situation(*GOOD, proved=False, atp=1.0), SETTINGS).level == "sensory", "there is no energy"


def test_a_level_in_alarm_is_passed_over_and_now_and_then_tried() -> None:
    alarmed = msgspec.structs.replace(GOOD[0], alarm="it answers worse than it did")
    seen = situation(alarmed, *GOOD[1:])
    choice = choose(LEVELS, seen, SETTINGS)
    assert (choice.level, choice.overruled_by) == ("tactical", Rule.ALARM)
    assert "sensory passed over: it answers worse than it did" in choice.why
    tried = choose(LEVELS, replace(seen, draw=SETTINGS.probe / 2), SETTINGS)
    assert (tried.level, tried.trusted) == ("sensory", False)
    assert "whether it has recovered" in tried.why


def test_a_crisis_and_a_level_that_was_asked_for_overrule_by_their_own_name() -> None:
    assert choose(LEVELS, situation(*GOOD, policy="largest"), SETTINGS).overruled_by is Rule.CRISIS
    assert choose(LEVELS, situation(*GOOD, asked_for="sensory"), SETTINGS).overruled_by is Rule.USER


def test_of_two_that_overrule_the_one_that_chose_is_named_and_the_words_tell_of_both() -> None:
    alarmed = msgspec.structs.replace(GOOD[0], alarm="it answers worse than it did")
    choice = choose(LEVELS, situation(alarmed, *GOOD[1:], policy="largest"), SETTINGS)
    assert (choice.level, choice.overruled_by) == ("specialized", Rule.CRISIS)
    assert "whatever it costs; sensory passed over" in choice.why


def test_with_every_level_in_alarm_one_answers_all_the_same() -> None:
    rows = [msgspec.structs.replace(one, alarm="worse") for one in GOOD]
    assert choose(LEVELS, situation(*rows), SETTINGS).level in {one.level for one in rows}


def test_a_tuned_price_stands_in_for_the_configured_one() -> None:
    rows = (row("sensory", 0.6), row("tactical", 0.9), row("specialized", 0.99))
    blind = ChoiceSettings(noticed=0.0, alarms=0.0)
    assert choose(LEVELS, situation(*rows, tuned=0.0), blind).level == "specialized"
    assert choose(LEVELS, situation(*rows, tuned=2.0), blind).level == "sensory"


def test_what_is_known_of_the_very_question_decides_not_the_context_alone() -> None:
    seen = situation(*GOOD, query=Query(context="stable", cluster=7, words=5), versions={"sensory": "v1"})
    weak = TrustModel(level="sensory", version="v1", weights={"level": (3.0, 0.1), "cluster=7": (-9.0, 0.1)})
    seen.table.models.append(weak)
    assert choose(LEVELS, seen, SETTINGS).level != "sensory"
    other = replace(seen, query=Query(context="stable", cluster=8, words=5))
    assert choose(LEVELS, other, SETTINGS).level == "sensory"
