"""One course of the world as a whole lives it: `live`. Discrete events on a virtual clock; nothing waits.

What is simplified, for every rival alike: the whole device gives one answer at a time; a question takes the smallest
level that is trusted with it, or a smaller one where the account refuses to hold its cost, and no cascade; time alone
brings a transition at a `tick` only; a dream under way holds an answer up for all of its grace. Where the policy says
that nobody answers, nobody does: the workers would answer a dialogue that asked them all the same.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from experiments.metabolism.course import Course, Entered, Fate, Look, Told
from experiments.metabolism.dreams import Assumed, Dreams, Source
from experiments.metabolism.models import Models
from experiments.metabolism.timeline import Timeline
from experiments.metabolism.world import PATTERN, LevelCost, Question, Stream, World
from nodes.metabolic_controller import energy, senses
from nodes.metabolic_controller.metabolism import Metabolism, Standing
from protocol.messages.metabolism import Policy, Reserve, Settle

NOBODY = "nobody"


def live(world: World, stream: Stream, whole: Metabolism, source: Source | None = None) -> Course:
    """What becomes of `whole` in the world. It is used up.

    `source`: what dreams learn from, if not all that is answered, as the world says.
    """
    life = _Life(world, stream, whole, source or Assumed(world))
    life.dreams.say()
    return life.course()


@dataclass
class _Turn:
    """A question under way."""

    question: Question
    told: bool = False
    awake: bool = False
    roused: bool = False
    level: str = ""
    load_s: float = 0.0


class _Life:
    def __init__(self, world: World, stream: Stream, whole: Metabolism, source: Source) -> None:
        self.world = world
        self.stream = stream
        self.whole = whole
        self.start = whole.standing.state
        self.timeline = Timeline()
        self.models = Models(world.levels, lambda level, atp: self._settle("load", f"{level} {self.models.loads}", atp))
        self.dreams = Dreams(world, self.timeline, source, self._dreamt, self._told_backlog)
        self.ranks = {level.name: level for level in world.levels}
        self.kept: dict[str, str] = {}
        """Conversation → the level that answered in it last."""
        self.asleep: list[_Turn] = []
        self.queue: deque[_Turn] = deque()
        self.answering: _Turn | None = None
        self.told: list[Told] = []
        self.entered: list[Entered] = []
        self.looks: list[Look] = []
        self.stirs: list[float] = []

    def course(self) -> Course:
        seconds = self.stream.seconds
        for question in self.stream.questions:
            self.timeline.at(question.at_s, lambda question=question: self._ask(question))  # type: ignore[misc]
        for at_s in self.stream.noises:
            self.timeline.at(at_s, lambda: self._noise(True))
            self.timeline.at(at_s + self.world.people.noise, lambda: self._noise(False))
        self.timeline.after(self.world.tick, self._tick)
        self.timeline.run(seconds)
        self.dreams.interrupt()
        spent = energy.statement(self.whole.account, self.whole.config.energy).spent
        self.timeline.run(seconds + self.world.patience)  # Whoever waits at the end is told; nobody else asks.
        return Course(
            seconds=seconds,
            tick_s=self.world.tick,
            start=self.start,
            told=tuple(self.told),
            entered=tuple(one for one in self.entered if one.at_s <= seconds),
            legs=tuple(self.dreams.legs),
            looks=tuple(self.looks),
            stirs=tuple(self.stirs),
            spent=spent,
            loads=self.models.loads,
        )

    # What happens

    def _ask(self, question: Question) -> None:
        whole, now_s = self.whole, self._stir()
        turn = _Turn(question, roused=self._nobody())
        wait = (self.world.rouse if turn.roused else 0.0) + (self.world.grace if self.dreams.dreaming else 0.0)
        whole.sensed = senses.started(whole.sensed, question.ident, now_s)
        self._decide()
        if self._nobody():
            self._follow(whole.rouse("a question", 0.0, now_s))
        whole.sensed = senses.noticed(whole.sensed, question.salience, now_s, whole.config.senses)
        self._decide()
        self.timeline.after(self.world.patience, lambda: self._give_up(turn))
        if self._nobody():
            self.asleep.append(turn)
        else:
            turn.awake = True
            self.timeline.after(wait, lambda: self._take(turn))

    def _noise(self, begins: bool) -> None:
        self.whole.sensed = senses.speech(self.whole.sensed, begins, self._stir())
        self._decide()

    def _tick(self) -> None:
        self._decide()
        self.whole.account = self.whole.account.written()  # The node does so now and then; what it holds is unchanged.
        now_s, busy = self.timeline.now_s, bool(self.asleep or self.queue or self.answering)
        if now_s <= self.stream.seconds:
            self.looks.append(
                Look(
                    at_s=now_s,
                    state=self.whole.standing.state,
                    atp=self.whole.account.atp,
                    quiet_s=0.0 if busy else now_s - (self.stirs[-1] if self.stirs else 0.0),
                    to_learn=self.dreams.to_learn,
                    lessons=self.whole.sensed.lessons,
                    dreaming=self.dreams.dreaming,
                )
            )
        self.timeline.after(self.world.tick, self._tick)

    # Answering

    def _take(self, turn: _Turn) -> None:
        if turn.told:
            return
        if turn.question.needs == PATTERN:
            self._tell(turn, Fate.ANSWERED, self.timeline.now_s - turn.question.at_s, atp=0.0)
            return
        self.queue.append(turn)
        self._answer_next()

    def _answer_next(self) -> None:
        if self.answering is not None or not self.queue:
            return
        now_s, turn = self.timeline.now_s, self.queue.popleft()
        answer = self.whole.config.policy[self.whole.standing.state].answer
        level = self._afforded(turn.question, self._choose(turn.question, answer))
        turn.level, turn.load_s = level.name, self.models.ready_in(level.name, now_s)
        self.answering = turn
        incident = self.world.incident
        chance = incident.fails_alone if answer == "largest" else incident.fails
        fails = incident.holds(now_s) and turn.question.luck < chance
        first_s = now_s + turn.load_s + level.first - turn.question.at_s
        if fails:
            cost = level.atp * level.first / level.whole
            self.timeline.after(turn.load_s + level.first, lambda: self._end(turn, Fate.FAILED, None, cost))
        else:
            self.timeline.after(turn.load_s + level.whole, lambda: self._end(turn, Fate.ANSWERED, first_s, level.atp))

    def _choose(self, question: Question, answer: str) -> LevelCost:
        """As dialogue's policies do where trust is certain; with `quality` a conversation keeps its level."""
        if answer == "largest":
            return self.world.levels[-1]
        kept = self.kept.get(question.conversation)
        if answer == "quality":
            wanted = self.ranks[kept] if kept else self.world.levels[-1]
            return max(wanted, self.ranks[question.needs], key=self.world.levels.index)
        return self.ranks[question.needs]

    def _afforded(self, question: Question, wanted: LevelCost) -> LevelCost:
        """The level whose cost the account holds: `wanted`, or the largest of the smaller ones that is not refused."""
        levels = self.world.levels
        for level in reversed(levels[: levels.index(wanted) + 1]):
            wish = Reserve(ident=question.ident, atp=level.atp, ttl_s=self.world.patience, least=level is levels[0])
            reserving = self.whole.reserve(wish, None, self.timeline.now_s)
            if reserving.granted:
                self.whole.account = reserving.account
                return level
        raise AssertionError("the smallest level is never refused")

    def _end(self, turn: _Turn, fate: Fate, first_s: float | None, atp: float) -> None:
        if self.answering is not turn:
            return  # It was given up.
        self.answering = None
        self.kept[turn.question.conversation] = turn.level
        if fate is Fate.ANSWERED:
            self.dreams.learn(turn.question.ident)
        self._tell(turn, fate, first_s, atp)
        self._answer_next()

    def _give_up(self, turn: _Turn) -> None:
        """The asker's patience has ended. An answer under way is paid for in full."""
        if turn.told:
            return
        atp = 0.0
        if turn in self.asleep:
            self.asleep.remove(turn)
        elif turn is self.answering:
            self.answering, atp = None, self.ranks[turn.level].atp
        elif turn in self.queue:
            self.queue.remove(turn)
        self._tell(turn, Fate.LATE if turn.awake else Fate.ASLEEP, None, atp)
        self._answer_next()

    def _tell(self, turn: _Turn, fate: Fate, first_s: float | None, atp: float) -> None:
        turn.told = True
        self.told.append(
            Told(
                question=turn.question,
                fate=fate,
                level=turn.level or turn.question.needs,
                first_s=first_s,
                load_s=turn.load_s,
                roused=turn.roused,
            )
        )
        whole, now_s = self.whole, self._stir()
        whole.sensed = senses.completed(whole.sensed, turn.question.ident, fate is not Fate.ANSWERED, now_s)
        self._settle("exchange", turn.question.ident, atp)
        self._decide()

    # What follows

    def _decide(self) -> None:
        self._follow(self.whole.advance(self.timeline.now_s))

    def _follow(self, made: Standing | None) -> None:
        """Let everybody take a transition up."""
        if made is None:
            return
        now_s = self.timeline.now_s
        assert made.previous is not None
        self.entered.append(Entered(at_s=now_s, state=made.state, left=made.previous, reason=made.reason))
        said = self.whole.said(now_s, 0)
        self.models.take_up(said, now_s)
        if said.policy.dream:
            self.dreams.begin()
        else:
            self.dreams.interrupt()
        if said.policy.answer != NOBODY:
            for turn in self.asleep:
                turn.awake = True
                self.timeline.after(self.world.rouse, lambda turn=turn: self._take(turn))  # type: ignore[misc]
            self.asleep.clear()

    def _dreamt(self, atp: float) -> None:
        self._settle("dream", f"leg {len(self.dreams.legs)} at {self.timeline.now_s}", atp)

    def _told_backlog(self, lessons: int) -> None:
        """The machine takes it up, and decides at its next tick. Where it dreams and there is more, that comes next."""
        self.whole.sensed = senses.learned(self.whole.sensed, lessons)
        if lessons and not self.dreams.dreaming and self._policy.dream:
            self.dreams.begin()

    def _settle(self, kind: str, ident: str, atp: float) -> None:
        claim = Settle(ident=ident, kind=kind, joules=atp / self.whole.config.energy.atp_per_joule)
        self.whole.settled(self.whole.settle(claim, None, self.timeline.now_s))

    def _stir(self) -> float:
        self.stirs.append(self.timeline.now_s)
        return self.timeline.now_s

    def _nobody(self) -> bool:
        return self._policy.answer == NOBODY

    @property
    def _policy(self) -> Policy:
        return self.whole.config.policy[self.whole.standing.state]
