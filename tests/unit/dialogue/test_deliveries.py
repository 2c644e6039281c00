"""What an exchange owes the others."""

from __future__ import annotations

from dataclasses import replace

from nodes.dialogue.deliveries import Finished, deliveries
from protocol.errors import UnknownNode
from protocol.messages.context import ScoreExchange
from protocol.messages.dream import Keep
from protocol.messages.metabolism import Settle
from protocol.messages.trust import Outcome
from tests.unit.dialogue.test_respond import Marker
from tests.unit.dialogue.world import World, ask


async def finished(world: World, *verifiers: object) -> Finished:
    await ask(world, "what is 2 plus 2", *verifiers)
    return world.kept[0]


def requests(done: Finished, kind: type) -> list:
    return [one.request for one in deliveries(done) if isinstance(one.request, kind)]


async def test_a_pattern_owes_nothing() -> None:
    world = World()
    await ask(world, "hello")
    assert deliveries(world.kept[0]) == []


async def test_every_level_tried_gets_its_outcome_by_who_judged_it() -> None:
    world = World()
    world.workers["sensory"].text = " five ."
    world.workers["sensory"].confidence = 0.2
    outcomes = requests(await finished(world, Marker("four .")), Outcome)
    assert [(one.level, one.score, one.source) for one in outcomes] == [
        ("sensory", 0.0, "marker"),
        ("tactical", 1.0, "marker"),
    ]
    assert {one.version for one in outcomes} == {"sensory-v1", "tactical-v1"}
    assert all(one.context == "moving" and one.cluster == 3 and one.atp == 0.2 for one in outcomes)


async def test_every_outcome_says_why_its_level_was_asked() -> None:
    world = World()
    world.workers["sensory"].confidence = 0.1
    small, large = requests(await finished(world), Outcome)
    assert (small.override, large.override) == ("", "")
    assert small.chosen == world.kept[0].choice.why
    assert large.chosen == "sensory was asked before: not confident enough (0.10 of 0.80); tactical goes on"


async def test_what_overruled_the_choice_stands_in_the_outcome() -> None:
    world = World()
    await ask(world, "what is 2 plus 2", critical=True)
    (outcome,) = requests(world.kept[0], Outcome)
    assert (outcome.level, outcome.override) == ("specialized", "critical")
    assert "much depends on it" in outcome.chosen


async def test_a_level_that_answers_for_one_that_could_not_says_so() -> None:
    world = World()
    world.workers["sensory"].error = UnknownNode("it is gone")
    (outcome,) = requests(await finished(world), Outcome)
    assert outcome.level == "tactical"
    assert outcome.chosen.startswith("sensory gave no answer; it was to answer for this reason: ")


async def test_a_level_that_was_replaced_was_right_if_its_successor_said_the_same() -> None:
    for text, score in ((" four .", 1.0), (" Four!", 1.0), (" five .", 0.0)):
        world = World()
        world.workers["sensory"].confidence = 0.1
        world.workers["sensory"].text = text
        small, large = requests(await finished(world), Outcome)
        assert (small.score, small.source) == (score, "cascade")
        assert (large.score, large.source) == (0.95, "confidence")


async def test_keys_tell_deliveries_to_one_destination_apart() -> None:
    world = World()
    world.workers["sensory"].confidence = 0.1
    made = deliveries(await finished(world))
    assert len({(one.destination, one.key) for one in made}) == len(made) == 4


async def test_the_exchange_is_scored_then_kept_and_its_cost_settled() -> None:
    world = World()
    world.workers["sensory"].confidence = 0.1
    done = await finished(world)
    (scoring,) = [one for one in deliveries(done) if isinstance(one.request, ScoreExchange)]
    assert scoring.request.levels_tried == 2
    assert scoring.then is not None
    lesson = scoring.then.request
    assert isinstance(lesson, Keep)
    assert (lesson.level, lesson.answer, lesson.messages[-1].content) == ("tactical", " four .", "what is 2 plus 2")
    assert (lesson.ids, lesson.version) == (done.chosen.generated.ids, "tactical-v1")
    assert lesson.ids
    (settle,) = requests(done, Settle)
    assert (settle.ident, settle.cpu_s, settle.salience) == (done.answer.exchange, 0.8, 0.4)


async def test_without_a_context_the_outcome_says_so() -> None:
    world = World()
    world.context = UnknownNode("not here")
    (outcome,) = requests(await finished(world), Outcome)
    assert (outcome.context, outcome.cluster) == ("unknown", -1)


async def test_an_outcome_says_what_was_staked_for_the_first_level_and_whether_the_answer_came_whole() -> None:
    world = World()
    world.workers["sensory"].confidence = 0.1
    world.workers["sensory"].text = "  "
    done = replace(await finished(world), staked=1.5)
    small, large = requests(done, Outcome)
    assert (small.stake, small.delivered, large.stake, large.delivered) == (1.5, False, 0.0, True)
