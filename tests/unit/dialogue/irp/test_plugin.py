"""Refinement asks larger levels until it rests, and says how it ended."""

import sys
import threading
from subprocess import run
from typing import Any

import pytest

from nodes.dialogue.irp import HierarchicalCognitiveIRP
from nodes.dialogue.irp.port import IRPPlugin
from protocol.errors import BadRequest, Cancelled, DeadlineExceeded, Overloaded
from tests.unit.dialogue.irp.systems import System

ASKED = "what is two plus two"


def plugin(system: System, **options: Any) -> HierarchicalCognitiveIRP:
    return HierarchicalCognitiveIRP(system, now=system.clock, wall=system.clock, **options)


def system(**says: Any) -> System:
    return System({level: answers if isinstance(answers, list) else [answers] for level, answers in says.items()})


def test_it_is_what_a_host_of_plugins_expects() -> None:
    assert isinstance(plugin(system()), IRPPlugin)


def test_importing_it_needs_no_torch_and_no_host() -> None:
    code = "import sys, nodes.dialogue.irp; assert not {'torch', 'transformers', 'numpy'} & set(sys.modules)"
    assert run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_sure_answer_ends_it_at_once() -> None:
    made = system(sensory=("four", 0.95))
    state, history = plugin(made).refine(ASKED)
    assert (state.x, state.meta["ended"], len(history)) == ("four", "converged", 2)
    assert state.energy_val == pytest.approx(0.05)
    assert made.asked[0][0] == ""


def test_a_second_opinion_may_be_wanted_before_it_rests() -> None:
    made = system(sensory=("five", 0.99), tactical=("four", 0.99), specialized=("four", 0.99))
    state, history = plugin(made).refine(ASKED, {"least": 2, "target": 0.55})
    assert (state.x, len(history)) == ("four", 3)
    agreed = system(sensory=("four", 0.99), tactical=("four", 0.99))
    assert len(plugin(agreed).refine(ASKED, {"least": 2})[1]) == 3


def test_a_doubtful_answer_goes_up_level_by_level_each_in_a_conversation_of_its_own() -> None:
    made = system(sensory=("five", 0.3), tactical=("four", 0.6), specialized=("four", 0.95))
    state, history = plugin(made).refine(ASKED, {"target": 0.2})
    assert [level for level, _, _ in made.asked] == ["", "tactical", "specialized"]
    assert {text for _, text, _ in made.asked} == {ASKED}
    assert len({name for _, _, name in made.asked}) == 3
    assert (state.x, state.meta["ended"]) == ("four", "converged")
    assert [one.x for one in history] == ["", "five", "four", "four"]
    assert set(made.forgotten) >= {name for _, _, name in made.asked}


def test_energy_rises_where_answers_speak_against_it() -> None:
    made = system(sensory=("five", 0.8), tactical=("four", 0.8), specialized=("six", 0.8))
    _, history = plugin(made).refine(ASKED, {"most": 3})
    energies = [state.energy_val for state in history[1:]]
    assert energies[1] > energies[0]
    metrics = plugin(made).compute_trust_metrics(history)
    assert metrics["monotonicity"] < 1
    assert metrics["convergence_rate"] < 0


def test_energy_is_a_function_of_the_answers_not_of_the_iteration() -> None:
    made = system(sensory=("five", 0.5), tactical=("four", 0.5), specialized=("six", 0.5))
    _, history = plugin(made).refine(ASKED, {"most": 5})
    assert all(state.energy_val >= 0.5 for state in history)
    for state in history:
        assert plugin(made).energy(state) == state.energy_val


def test_the_largest_is_asked_again_in_its_own_conversation_with_the_doubt_pointed_out() -> None:
    made = system(sensory=("five", 0.3), tactical=("four", 0.8), specialized=[("six", 0.5), ("four", 0.97)])
    state, _ = plugin(made).refine(ASKED, {"target": 0.3})
    (_, _, before), (level, text, name) = made.asked[-2:]
    assert (level, name) == ("specialized", before)
    assert text == f"You said 'six', but 'four' was said too. {ASKED}"
    assert (state.x, state.meta["ended"]) == ("four", "converged")


def test_it_rests_where_the_largest_says_the_same_again() -> None:
    made = system(sensory=("four", 0.4), tactical=("four", 0.4), specialized=("four", 0.4))
    state, history = plugin(made).refine(ASKED)
    assert state.meta["ended"] == "stable"
    assert state.energy_val > 0.1
    assert plugin(made).halt(history)


def test_two_answers_that_alternate_are_named_and_no_rest() -> None:
    made = system(
        sensory=("five", 0.3),
        tactical=("five", 0.3),
        specialized=[("four", 0.4), ("five", 0.35), ("four", 0.4), ("five", 0.35)],
    )
    one = plugin(made)
    state, history = one.refine(ASKED, {"most": 6})
    assert state.meta["ended"] == "oscillating"
    assert not one.halt(history)
    assert one.compute_trust_metrics(history)["oscillations"] >= 2


def test_the_answer_is_the_one_that_most_speaks_for_though_another_came_last() -> None:
    made = system(sensory=("four", 0.7), tactical=("four", 0.7), specialized=("five", 0.2))
    state, history = plugin(made).refine(ASKED, {"most": 3})
    assert history[-1].x == "five"
    assert state.x == "four"
    assert state.energy_val < history[-1].energy_val
    assert state.meta["settled"]


def test_a_level_that_fails_is_left_out_and_named() -> None:
    made = system(sensory=("five", 0.3), tactical=Overloaded("full"), specialized=("four", 0.95))
    state, history = plugin(made).refine(ASKED)
    assert state.x == "four"
    assert history[2].x == "five"
    assert "full" in history[2].meta["failed"]["tactical"]


def test_a_system_that_cannot_choose_may_still_have_a_level_that_answers() -> None:
    made = system(sensory=Overloaded("full"), tactical=("four", 0.95), specialized=("four", 0.95))
    state, _ = plugin(made).refine(ASKED)
    assert state.x == "four"


def test_where_nobody_answers_the_reason_is_raised() -> None:
    full = Overloaded("full")
    for most in (1, 9):
        with pytest.raises(Overloaded, match="full"):
            plugin(system(sensory=full, tactical=full, specialized=full)).refine(ASKED, {"most": most})


def test_it_ends_when_its_time_is_over_with_what_it_has() -> None:
    made = system(sensory=("five", 0.3), tactical=("four", 0.6), specialized=("four", 0.9))
    state, _ = plugin(made).refine(ASKED, {"deadline_s": 2.5})
    assert (state.x, state.meta["ended"]) == ("four", "out of time")
    assert made.now == 2.5
    with pytest.raises(DeadlineExceeded):
        plugin(system(sensory=("five", 0.3))).refine(ASKED, {"deadline_s": 0.5})


def test_it_can_be_cancelled_and_keeps_what_it_has() -> None:
    made = system(sensory=("five", 0.3), tactical=("four", 0.6), specialized=("four", 0.9))
    one = plugin(made)
    made.on_ask = lambda: one.cancel() if len(made.asked) == 3 else None
    state, _ = one.refine(ASKED)
    assert (state.x, state.meta["ended"]) == ("four", "cancelled")
    made.asked.clear()
    made.on_ask = one.cancel
    with pytest.raises(Cancelled):
        one.refine(ASKED)
    with pytest.raises(Cancelled):
        one.refine(ASKED, {"cancelled": lambda: True})


def test_only_allowed_answers_are_given() -> None:
    made = system(sensory=("yes", 0.5), tactical=("maybe", 0.9), specialized=("yes", 0.6))
    one = plugin(made)
    state, history = one.refine(ASKED, {"allowed": ["yes", "no"], "most": 3})
    assert state.x == "yes"
    assert (history[2].x, history[2].meta["projected"]) == ("yes", "maybe")


def test_a_long_answer_is_cut_between_words_and_that_is_noted() -> None:
    state, _ = plugin(system(sensory=("one two three", 0.95))).refine(ASKED, {"longest": 9})
    assert state.x == "one two"
    assert state.meta["projected"] == "one two three"
    assert state.energy_val == pytest.approx(0.05)


def test_the_tasks_verifier_has_its_say() -> None:
    made = system(sensory=("five", 0.99), tactical=("four", 0.6), specialized=("four", 0.9))
    state, _ = plugin(made).refine(ASKED, {"verify": lambda text: float(text == "four")})
    assert (state.x, state.meta["ended"]) == ("four", "converged")


def test_confidence_is_calibrated_by_level() -> None:
    made = system(sensory=("five", 0.99), tactical=("four", 0.99))
    one = plugin(made, calibrate=lambda level, confidence: 0.5 if level == "sensory" else confidence)
    assert one.refine(ASKED, {"target": 0.3})[0].x == "four"


@pytest.mark.parametrize(
    ("x0", "ctx", "complaint"),
    [
        ("", {}, "question"),
        ([], {}, "no question"),
        ([{"role": "assistant", "content": "hi"}], {}, "question by `user`"),
        (3, {}, "messages"),
        (ASKED, {"most": 0}, "most cannot be 0"),
        (ASKED, {"least": 0}, "least cannot be 0"),
        (ASKED, {"deadline_s": 0}, "deadline_s"),
        (ASKED, {"mots": 3}, "'mots' means nothing"),
        (ASKED, {"level": "huge"}, "no level 'huge'; there are"),
        (ASKED, {"deadline_s": "soon"}, "deadline_s is a number, not 'soon'"),
        (ASKED, {"most": 2.5}, "most is a whole number"),
        (ASKED, {"target": True}, "target is a number"),
        (ASKED, {"allowed": "yes"}, "allowed is a list of texts"),
        (ASKED, {"allowed": [1]}, "allowed is a list of texts"),
        (ASKED, {"allowed": 1}, "allowed is a list of texts"),
        (ASKED, {"cancelled": None}, "cancelled has to be callable"),
        (ASKED, {"verify": 3}, "verify has to be callable"),
        (ASKED, {"doubt": "really, {answr}?"}, "doubt cannot be"),
    ],
)
def test_what_cannot_be_meant_is_refused(x0: Any, ctx: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadRequest, match=complaint):
        plugin(system()).refine(x0, ctx)


def test_no_thread_is_left_behind() -> None:
    before = threading.active_count()
    plugin(system(sensory=("four", 0.95))).refine(ASKED)
    assert threading.active_count() == before
