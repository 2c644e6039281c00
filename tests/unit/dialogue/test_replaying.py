"""Questions of the day go through all levels: what is kept, what is judged, and what it teaches."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import msgspec
import pytest

from nodes.dialogue import replaying, replays
from nodes.dialogue.calibration import Signs
from nodes.dialogue.choice import ChoiceSettings
from nodes.dialogue.config import load, load_trust
from nodes.dialogue.outbox import Delivery
from nodes.dialogue.ports import Outlook
from nodes.dialogue.replayer import Replayer
from nodes.dialogue.replaying import JUDGE, Lesson, Sample, Tried, agreement, learn, outcomes
from nodes.dialogue.replays import Asked, Replays
from nodes.dialogue.spending import Rates
from nodes.dialogue.store import Store
from nodes.dialogue.tuning import Tuning
from nodes.trust_ledger.features import Query
from protocol.errors import UnknownNode
from protocol.messages.metabolism import Reserve, Reserved, Settle
from protocol.messages.model import ChatMessage, Generate, Generated
from protocol.messages.trust import Outcome
from runtime.power.costs import LevelCosts
from runtime.verifiers import Verdict
from tests.unit.dialogue.test_reserving import costs

CONFIG, TRUST = load(), load_trust()
LEVELS = [level.name for level in CONFIG.levels]


class Seal:
    def seal(self, plain: bytes, context: bytes) -> bytes:
        return context + b"|" + plain

    def open(self, sealed: bytes, context: bytes) -> bytes:
        assert sealed.startswith(context + b"|")
        return sealed.removeprefix(context + b"|")


@pytest.fixture
def kept(tmp_path: Path):
    found = Replays(Store.open(tmp_path / replays.FILE, Seal(), replays.TABLES), questions=20, samples=500)
    yield found
    found.close()


def asked(number: int, session: str = "s") -> Asked:
    message = ChatMessage(role="user", content=f"question {number}")
    return Asked(exchange=f"e{number}", query=Query(context="stable", cluster=1, session=session), messages=[message])


def sample(number: int, scores: Sequence[float], *, source: str = "verifier", version: str = "1") -> Sample:
    random = Random(number)
    tried = tuple(
        Tried(
            level=level,
            model="m",
            version=f"{level}-{version}",
            score=score,
            signs=Signs(mean=-0.1, least=-0.2 - (1 - score) * random.random(), margin=1.0, tokens=5),
            atp=cost,
        )
        for level, score, cost in zip(LEVELS, scores, (1.0, 2.5, 5.0), strict=True)
    )
    query = Query(context="stable", cluster=number % 4, words=5, session="s")
    return Sample(exchange=f"e{number}", query=query, tried=tried, source=source)


def good_at_half(count: int, version: str = "1") -> list[Sample]:
    return [sample(at, (float(at % 4 < 2), 1.0, 1.0), version=version) for at in range(count)]


def test_what_is_learned_saves_energy_where_the_small_level_is_good() -> None:
    lesson = learn(good_at_half(400), TRUST, ChoiceSettings(), 7)
    assert lesson.tuning is not None
    assert lesson.tuning.price is not None
    assert lesson.tuning.at_ns == 7
    assert set(lesson.calibrations) == {"sensory-1"}, "the others are always right: there is nothing to calibrate"


def test_only_answers_of_the_versions_that_answer_now_count() -> None:
    lesson = learn([*good_at_half(400), *good_at_half(30, version="2")], TRUST, ChoiceSettings(), 0)
    assert lesson.tuning is not None
    assert lesson.tuning.questions == 30


def test_what_a_level_said_while_it_was_broken_is_no_part_of_what_holds_when_it_is_whole() -> None:
    broken = [msgspec.structs.replace(one, alarmed=("tactical",)) for one in good_at_half(30)]
    whole = learn([*good_at_half(200), *broken, *good_at_half(50)], TRUST, ChoiceSettings(), 0)
    assert whole.tuning is not None
    assert whole.tuning.questions == 250


def test_an_outcome_is_told_for_every_level_save_the_one_that_judged() -> None:
    assert [one.level for one in outcomes(sample(1, (0.0, 1.0, 1.0)))] == LEVELS
    assert [one.level for one in outcomes(sample(1, (0.0, 1.0, 1.0), source=JUDGE))] == LEVELS[:-1]


def test_without_a_verifier_the_most_capable_level_judges_as_far_as_it_is_sure() -> None:
    same, other, largest = agreement(["Four.", "five", "four"], [0.9, 0.6, 0.95])
    assert same > 0.99
    assert other < 0.1
    assert largest == pytest.approx(0.95)
    unsure = agreement(["five", "four"], [0.95, 0.3])
    assert unsure[0] > 0.9, "it is wrong more often than the small one is, where they differ"


def test_a_question_waits_until_it_was_replayed_and_no_more_wait_than_allowed(kept: Replays) -> None:
    for number in range(100):
        kept.keep(asked(number))
    waiting = kept.waiting(50)
    assert len(waiting) == 20
    assert max(int(one.exchange[1:]) for one in waiting) > 20, "a sample of the day, not its beginning"
    kept.replayed(waiting[0].exchange, sample(1, (1.0, 1.0, 1.0)))
    assert waiting[0].exchange not in {one.exchange for one in kept.waiting(50)}
    assert len(kept.samples()) == 1


def test_a_forgotten_conversation_is_not_replayed(kept: Replays) -> None:
    kept.keep(asked(1, "one"))
    kept.keep(asked(2, "other"))
    assert kept.forget("one") == 1
    assert [one.exchange for one in kept.waiting(9)] == ["e2"]


def test_a_lesson_holds_over_a_restart_and_can_be_taken_back(kept: Replays, tmp_path: Path) -> None:
    lessons = [Lesson(tuning=Tuning(price=price, questions=9, why="")) for price in (0.1, 0.2)]
    assert not kept.take_back()
    for lesson in lessons:
        kept.learned(lesson)
    again = Replays(Store.open(tmp_path / replays.FILE, Seal(), replays.TABLES), questions=20, samples=500)
    assert again.lesson == lessons[1]
    assert again.take_back()
    assert again.lesson == lessons[0]
    assert not again.take_back()
    again.close()


class World:
    def __init__(self) -> None:
        self.told: list[Delivery] = []
        self.asked: list[Generate] = []
        self.away = ""
        self.costed: dict[str, LevelCosts] = {}
        self.wishes: list[Reserve] = []
        self.available = 100.0

    async def generate_whole(self, worker: str, request: Generate) -> Generated:
        self.asked.append(request)
        level = worker.rpartition("/")[2]
        if level == self.away:
            raise UnknownNode(f"no node {worker}")
        return Generated(
            text=request.messages[-1].content if level != "sensory" else "no",
            ids=[],
            stop_reason="stop",
            tokens_reused=0,
            tokens_computed=3,
            tokens_generated=2,
            confidence=0.9,
            level=level,
            model="m",
            version=f"{level}-1",
            seconds={},
            cpu_s=0.5,
            reply_nll=0.1,
            reply_peak=0.2,
        )

    def costs(self, level: str) -> LevelCosts | None:
        return self.costed.get(level)

    async def reserve(self, request: Reserve, trace: bytes) -> Reserved:
        self.wishes.append(request)
        granted = request.atp <= self.available
        return Reserved(
            ident=request.ident,
            granted=granted,
            atp=request.atp if granted else 0.0,
            remaining=self.available,
            reason="" if granted else "too dear",
        )

    async def deliver(self, owed: Sequence[Delivery]) -> None:
        self.told += owed

    def wall_ns(self) -> int:
        return 1

    def outlook(self) -> Outlook:
        return Outlook()


class Says:
    name = "says"

    def verify(self, messages: Sequence[ChatMessage], answer: str) -> Verdict:
        return Verdict(score=float(answer == messages[-1].content), skill="echo")


async def test_every_level_answers_outside_any_conversation_and_the_ledger_hears_of_it(kept: Replays) -> None:
    world, parts = World(), []
    kept.keep(asked(1))

    async def part(replayed) -> None:
        parts.append((replayed.done, replayed.total))

    found = await Replayer(CONFIG, TRUST, [Says()], kept, world).replay(9, Rates(cpu_s=2.0), part)
    assert (found.done, found.total, found.failed) == (1, 1, 0)
    assert parts == [(1, 1)]
    assert "of 100 that it takes" in found.why
    assert {request.session for request in world.asked} == {""}
    told = [one.request for one in world.told if isinstance(one.request, Outcome)]
    assert [(one.level, one.score, one.source, one.atp) for one in told] == [
        ("sensory", 0.0, "says", 1.0),
        ("tactical", 1.0, "says", 1.0),
        ("specialized", 1.0, "says", 1.0),
    ]
    (bill,) = (one.request for one in world.told if isinstance(one.request, Settle))
    assert (bill.kind, bill.cpu_s) == ("dream", 1.5)


async def test_a_cost_that_nobody_measured_is_compared_as_configured_and_not_told(kept: Replays) -> None:
    world = World()
    kept.keep(asked(1))
    await Replayer(CONFIG, TRUST, [Says()], kept, world).replay(9, Rates())
    (tried,) = (one.tried for one in kept.samples())
    assert [one.atp for one in tried] == [level.cost for level in CONFIG.levels]
    assert {one.request.atp for one in world.told if isinstance(one.request, Outcome)} == {0.0}


async def test_a_question_that_a_level_does_not_answer_waits_for_another_night(kept: Replays) -> None:
    world = World()
    world.away = "specialized"
    kept.keep(asked(1))
    replayer = Replayer(CONFIG, TRUST, [], kept, world)
    found = await replayer.replay(9, Rates(cpu_s=1.0))
    assert found.failed == 1
    (bill,) = (one.request for one in world.told)
    assert (bill.ident, bill.out_of) == ("e1/replayed/1", "e1/replayed")
    assert (bill.kind, bill.cpu_s) == ("dream", 1.0), "what the other two took"
    assert replayer.stats()["failed"] == 1
    assert len(kept.waiting(9)) == 1


async def test_energy_is_held_for_a_question_before_it_is_replayed_and_without_it_nothing_is(kept: Replays) -> None:
    world = World()
    world.costed = {"sensory": costs(2.0), "tactical": costs(6.0), "specialized": costs(20.0)}
    for number in range(2):
        kept.keep(asked(number))
    replayer = Replayer(CONFIG, TRUST, [], kept, world)
    await replayer.replay(1, Rates(cpu_s=0.5))
    (wish,) = world.wishes
    assert (wish.kind, wish.atp) == ("dream", 14.0)
    assert wish.ident in {"e0/replayed", "e1/replayed"}
    world.available = 13.9
    refused = await replayer.replay(1, Rates(cpu_s=0.5))
    assert (refused.done, refused.total) == (0, 1)
    assert refused.why.startswith("there is no energy to go on (too dear); ")
    assert len(kept.samples()) == len(kept.waiting(9)) == 1


async def test_a_replay_stops_when_somebody_stirs_and_what_was_tried_is_kept(kept: Replays) -> None:
    for number in range(5):
        kept.keep(asked(number))
    answers = iter([True, True, False])
    replayer = Replayer(CONFIG, TRUST, [], kept, World())
    found = await replayer.replay(9, Rates(cpu_s=1.0), go_on=lambda: next(answers))
    assert (found.done, found.total) == (2, 5)
    assert len(kept.samples()) == 2
    assert kept.lesson.tuning is None
    assert replayer.stats()["interrupted"] == 1


async def test_too_few_samples_leave_what_was_found_before_in_force(kept: Replays) -> None:
    before = Lesson(tuning=Tuning(price=0.3, questions=500, why="proved"))
    kept.learned(before)
    kept.keep(asked(1))
    await Replayer(CONFIG, TRUST, [], kept, World()).replay(9, Rates(cpu_s=1.0))
    assert kept.lesson == before


def test_the_price_of_a_lesson_is_what_replaying_alone_would_find() -> None:
    """What is believed of a question rests on the others alone: told anew, nothing of it is known beforehand."""
    once = [sample(at, (1.0, 1.0, 1.0)) for at in range(3)]
    chances = [one.chances[0] for one in replaying._crossfitted(once, TRUST)]
    assert all(0.4 < chance < 0.9 for chance in chances)
