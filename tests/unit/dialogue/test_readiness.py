"""Who has its model in memory, and what that is worth."""

from dataclasses import replace

from nodes.dialogue.choice import Candidate, ChoiceSettings, choose
from nodes.dialogue.readiness import Loaded, Readiness, ReadinessSettings, heard, preferred, ready, too_late
from tests.unit.dialogue.test_choice import LEVELS, row, situation

SETTINGS = ReadinessSettings()
COLD, WARM = Readiness(loaded=False, load_s=5.0), Readiness(loaded=True, since_s=1000.0)
FRESH = Readiness(loaded=True, since_s=1.0)
BLIND = ChoiceSettings(noticed=0.0, alarms=0.0)


def among(**standing: Readiness) -> list[Candidate]:
    return [replace(level, ready=standing.get(level.name, COLD)) for level in LEVELS]


def test_a_loaded_model_is_preferred_to_one_that_is_little_better() -> None:
    at, why = preferred([0.80, 0.785], [COLD, WARM], SETTINGS)
    assert at == 1
    assert "it is loaded" in why
    assert preferred([0.80, 0.775], [COLD, WARM], SETTINGS) == (0, "")


def test_a_model_that_was_just_loaded_is_held_on_to_for_longer() -> None:
    assert preferred([0.80, 0.76], [COLD, FRESH], SETTINGS)[0] == 1
    assert preferred([0.80, 0.76], [COLD, WARM], SETTINGS)[0] == 0


def test_between_loaded_models_the_better_one_answers() -> None:
    assert preferred([0.80, 0.795], [WARM, WARM], SETTINGS) == (0, "")


def test_a_model_that_cannot_be_loaded_in_time_is_replaced_by_the_largest_at_hand_and_that_is_said() -> None:
    rows = (row("sensory", 0.3), row("tactical", 0.5), row("specialized", 0.99))
    seen = replace(situation(*rows), remaining_s=2.0)
    choice = choose(among(sensory=WARM, tactical=WARM), seen, BLIND)
    assert choice.level == "tactical"
    assert "specialized cannot be loaded in time (5.0 s), tactical is the largest at hand" in choice.why
    assert choose(among(sensory=WARM, tactical=WARM), replace(seen, remaining_s=20.0), BLIND).level == "specialized"


def test_where_nothing_is_loaded_trying_is_all_there_is() -> None:
    seen = replace(situation(row("specialized", 0.99)), remaining_s=2.0, policy="largest")
    assert choose(among(), seen, BLIND).level == "specialized"


def test_a_worker_that_says_nothing_is_taken_to_be_ready() -> None:
    assert not too_late(Readiness(), 0.1)
    assert not too_late(COLD, None)


def test_a_heartbeat_tells_when_a_model_came_into_memory() -> None:
    first = heard(None, {"loaded": 0.0, "load_s": 0.0}, 10)
    assert first == Loaded(False, 0.0, None)
    then = heard(first, {"loaded": 1.0, "load_s": 2.5}, 20)
    assert heard(then, {"loaded": 1.0, "load_s": 2.5}, 30) == then
    assert ready({"w": then}, 2_000_000_020)["w"] == Readiness(True, 2.5, 2.0)
    assert heard(None, {"loaded": 1.0}, 5).since_ns is None, "it was loaded before anybody listened"
