"""Days with drifting interests: fixed beforehand, the same for every arm, gone on with where they were left."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import msgspec
import pytest

from experiments.days import answering, course, experiment, measures, report, world
from experiments.days.answering import Weights, learned, released
from experiments.days.arms import ARMS, Fixed
from experiments.days.course import Course, Lasted
from experiments.days.living import Living
from experiments.days.measures import Counted
from experiments.days.nights import Night, Nights
from experiments.reference.curriculum import Question
from experiments.trust import world as trust
from experiments.trust.answers import Said
from experiments.trust.ours import Ours
from experiments.trust.rivals import LEVELS
from nodes.dialogue import config as dialogue
from nodes.dialogue.calibration import Signs
from nodes.dream_consolidator.dream import Ended
from nodes.dream_consolidator.vouching import validation
from protocol.errors import ConfigError, SageError
from protocol.messages.dream import Adapter, DreamCompleted, Keep, SkillResult
from protocol.messages.model import ChatMessage

SHIPPED = "d82dbe5054fd40d461c810690180613f0a65a4f7464de030087d4b64fe37850c"
WORLD, COSTS = world.load(), trust.load()
SMALL = msgspec.structs.replace(
    WORLD, days=3, visits=12.0, replay=msgspec.structs.replace(WORLD.replay, new=30, same=10)
)
LEARNED = Adapter(level="sensory", digest="d1", path="/nowhere/d1")
GAINED = DreamCompleted(
    dream="night-000",
    level="sensory",
    promoted=True,
    why="better",
    results=[SkillResult(name="add", questions=40, before=0.2, after=0.9)],
)


def answers(asked: Sequence[Question], chance: float, name: str) -> list[Said]:
    """Right by lot, and surer where right."""
    random = Random(name)
    found = []
    for one in asked:
        right = random.random() < chance
        least = -0.01 if right else -1.5
        signs = Signs(mean=least / 3, least=least, margin=1.0, tokens=6)
        found.append(Said(right=right, signs=signs, tokens_in=20, text=one.answer if right else "no idea"))
    return found


def three(asked: Sequence[Question], small: float = 0.3) -> list[list[Said]]:
    return [answers(asked, chance, f"level {level}") for level, chance in enumerate((small, 0.7, 0.95))]


def day(place: int = 0):
    return list(world.days(SMALL, 3))[place]


def living(chooser) -> Living:
    return Living(chooser, COSTS, SMALL.feedback, dialogue.load(), 3)


def ours() -> Ours:
    return Ours(COSTS, dialogue.load(), dialogue.load_trust(), Random(0))


def test_the_world_is_the_one_that_the_reports_name():
    assert world.digest(WORLD, COSTS) == SHIPPED
    fewer = msgspec.structs.replace(WORLD, days=2)
    assert world.digest(fewer, COSTS) == SHIPPED
    assert world.digest(msgspec.structs.replace(WORLD, visits=2.0), COSTS) != SHIPPED


def test_fewer_days_are_the_first_of_more_and_their_interests_drift():
    few = [each.digest for each in world.days(SMALL, 3)]
    more = [each.digest for each in world.days(msgspec.structs.replace(SMALL, days=5), 3)]
    assert few == more[:3]
    assert len(set(more)) == 5


def test_dreams_are_as_shipped_but_for_what_the_world_says():
    settings = world.dreaming(WORLD)
    assert settings.select.lessons == WORLD.dream.lessons
    assert settings.select.self_asked == WORLD.dream.self_asked
    assert settings.canary.share == 0.0
    assert settings.judge == world.configuration.load().judge


def test_the_fixed_rule_begins_small_and_goes_on_until_one_is_sure():
    today = day()
    asked = [moment.question for moment in today.moments]
    lived = living(Fixed(dialogue.load())).day(0, today, three(asked))
    for one, met in zip(lived.answered, lived.met, strict=True):
        sure = [level for level in range(len(LEVELS)) if met.asked.said[level].right]
        assert one.path == tuple(range((sure[0] if sure else 2) + 1))


def test_every_question_is_offered_as_the_last_level_on_its_path_answered_it():
    today = day()
    lived = living(Fixed(dialogue.load())).day(0, today, three([moment.question for moment in today.moments]))
    assert len(lived.kept) == len(today.moments)
    assert len({keep.exchange for keep in lived.kept}) == len(lived.kept)
    for keep, one in zip(lived.kept, lived.answered, strict=True):
        assert keep.level == LEVELS[one.path[-1]]
        assert keep.score is not None
        assert (keep.score >= 0.5) == one.right


@pytest.mark.parametrize("make", [ours, lambda: Fixed(dialogue.load())])
def test_a_day_lived_again_comes_out_the_same(make):
    today = day()
    said = three([moment.question for moment in today.moments])
    first, second = (living(make()).day(0, today, said) for _ in range(2))
    assert first == second


def test_new_weights_are_a_new_arm_that_begins_with_what_its_validation_showed():
    chooser = ours()
    lives = living(chooser)
    today = day()
    asked = [moment.question for moment in today.moments]
    lives.day(0, today, three(asked))
    known = {model.version for model in chooser.known.models if model.level == "sensory"}
    version = learned(LEARNED).version
    chooser.take_up("sensory", version, validation(GAINED, LEARNED), lives.number)
    rows = [row for row in chooser.known.rows if (row.level, row.version) == ("sensory", version)]
    assert version not in known
    assert rows[0].mean > 0.5
    lives.day(1, day(1), three([moment.question for moment in day(1).moments], small=0.9))
    assert {outcome.version for outcome in chooser.known.models if outcome.level == "sensory"} == {"sensory", version}


def test_the_last_answers_are_replayed_by_night_and_paid_for():
    chooser = ours()
    lives = living(chooser)
    today = day()
    asked = [moment.question for moment in today.moments]
    lived = lives.day(0, today, three(asked))
    versions = {"sensory": "adapter d1", "tactical": "tactical", "specialized": "specialized"}
    atp = lives.night(0, lived, three(asked, small=1.0), versions, 10)
    assert atp > 0
    assert len(chooser.samples) == 10
    assert {sample.tried[0].version for sample in chooser.samples} == {"adapter d1"}
    assert {sample.tried[0].score for sample in chooser.samples} == {1.0}


def dreamt(place: int, *, promoted: bool = True) -> Night:
    return Night(
        completed=GAINED,
        in_force=[LEARNED if promoted else Adapter(level="sensory")],
        offered=40,
        examples=40,
        wall_s=1.0,
        code="a",
    )


class Dreams:
    """Nights that bring new weights after the first day."""

    def __init__(self, home: Path, settings: object) -> None:
        self.offered: list[int] = []

    def after(self, place: int, kept: Sequence[Keep], report: object) -> Night:
        self.offered.append(len(kept))
        return dreamt(place)

    def close(self) -> None: ...


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Levels that answer by lot; learned weights answer better."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def said(weights: Weights, asked: Sequence[Question], _report: object) -> list[Said]:
        chance = 0.9 if weights.version != weights.level else (0.3, 0.7, 0.95)[LEVELS.index(weights.level)]
        return answers(asked, chance, weights.version)

    monkeypatch.setattr(course.answering, "said", said)
    monkeypatch.setattr(course, "Nights", Dreams)


def lasted(arm: str) -> list[Lasted]:
    chosen = next(each for each in ARMS if each.name == arm)
    return list(Course(chosen, SMALL, COSTS, 3, lambda _: None).days(list(world.days(SMALL, 3))))


def test_the_next_day_is_answered_with_what_the_night_brought_and_after_the_last_nobody_dreams(models):
    days = lasted("slow")
    assert days[0].counted.alone["sensory"] < 0.5 < days[1].counted.alone["sensory"]
    assert days[1].counted.answered_by["sensory"] > days[0].counted.answered_by["sensory"]
    assert days[1].counted.atp < days[0].counted.atp
    assert [day.night is None for day in days] == [False, False, True]


def test_an_arm_without_a_loop_lacks_it_and_all_arms_meet_the_same_days(models):
    found = {arm.name: lasted(arm.name) for arm in ARMS}
    for arm in ARMS:
        nights = [day.night for day in found[arm.name]]
        assert any(nights) == arm.dreams
        assert any(day.counted.replayed_atp for day in found[arm.name]) == arm.learns
    largest = {name: [day.counted.alone["specialized"] for day in days] for name, days in found.items()}
    assert len({tuple(each) for each in largest.values()}) == 1
    assert "dreams kept" in report.text(found, ARMS, SMALL, "d")


def test_goals_of_arms_that_were_not_run_are_not_met(models):
    assert not any(goal.met for goal in experiment.goals({"fast": lasted("fast")}))
    assert all(goal.measured is not None for goal in experiment.goals({"fast": lasted("fast"), "both": lasted("both")}))


def test_an_unknown_arm_is_named_with_those_there_are():
    with pytest.raises(ConfigError, match="no arm 'all'") as caught:
        experiment.chosen(["all"])
    assert "both" in caught.value.remedy


def counted(right: float, atp: float = 1.0) -> Counted:
    return Counted(
        questions=10,
        right=right,
        atp=atp,
        answered_by={"sensory": 0.5},
        alone={"specialized": 0.95},
        always_atp=2.0,
        replayed_atp=0.0,
        repeated=0.0,
    )


def test_the_worst_later_day_is_held_against_the_first_and_every_day_against_the_largest():
    days = [counted(0.9), counted(0.85), counted(0.95)]
    assert measures.lowest(days) == pytest.approx(-0.05)
    assert measures.lowest(days[:1]) is None
    assert measures.behind(days) == pytest.approx(0.1)


def test_the_end_is_the_last_quarter():
    days = [counted(0.9, atp) for atp in (4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 2.0, 1.0)]
    assert measures.at_the_end(days, lambda one: one.atp) == pytest.approx(1.5)
    assert measures.at_the_end(days[:2], lambda one: one.atp) == 4.0


def keep(number: int) -> Keep:
    return Keep(
        exchange=f"question {number}",
        session="s",
        messages=[ChatMessage(role="user", content=f"what is {number} plus {number}")],
        answer=str(2 * number),
        level="tactical",
        version="tactical",
        context="stable",
    )


def test_a_night_with_too_little_to_learn_says_so_and_is_not_passed_twice(tmp_path: Path):
    settings = world.dreaming(WORLD)
    nights = Nights(tmp_path, settings)
    first = nights.after(0, [keep(number) for number in range(3)], lambda _: None)
    again = nights.after(0, [], lambda _: None)
    nights.close()
    assert not first.dreamt
    assert "sensory" in first.completed.why
    assert first.in_force == [Adapter(level="sensory")]
    assert again == first
    reopened = Nights(tmp_path, settings)
    assert reopened.after(0, [], lambda _: None) == first
    reopened.close()


def test_a_dream_that_ended_before_its_night_was_noted_counts_and_is_not_dreamt_again(tmp_path: Path):
    nights = Nights(tmp_path, world.dreaming(WORLD))
    nights._journal.write(GAINED, 1, 2)
    assert nights.after(0, [keep(number) for number in range(3)], lambda _: None).completed == GAINED
    nights.close()


def test_a_night_whose_dream_was_stopped_is_not_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    nights = Nights(tmp_path, world.dreaming(WORLD))

    async def stopped(*_: object) -> Ended:
        return Ended(msgspec.structs.replace(GAINED, promoted=False, interrupted=True, why="roused"), "")

    monkeypatch.setattr(nights._dreamer, "dream", stopped)
    with pytest.raises(SageError, match="roused") as caught:
        nights.after(0, [], lambda _: None)
    assert caught.value.place == "night-000"
    monkeypatch.undo()
    assert not nights.after(0, [], lambda _: None).completed.interrupted
    nights.close()


def test_released_weights_go_by_the_name_of_their_level():
    assert released("sensory").version == "sensory"


def test_answers_are_computed_once_for_the_same_weights_and_questions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    computed: list[Path] = []

    def compute(folder: Path, asked: Sequence[Question], _report: object) -> list[Said]:
        computed.append(folder)
        return answers(asked, 0.5, folder.name)

    monkeypatch.setattr(answering, "answers", compute)
    asked = [moment.question for moment in day().moments]
    weights = learned(LEARNED)
    first = answering.said(weights, asked, lambda _: None)
    moved = msgspec.structs.replace(LEARNED, path="/elsewhere")
    assert answering.said(learned(moved), asked, lambda _: None) == first
    answering.said(weights, asked[1:], lambda _: None)
    answering.said(learned(msgspec.structs.replace(LEARNED, digest="d2")), asked, lambda _: None)
    assert len(computed) == 3
