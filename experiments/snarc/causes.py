"""Conversations with planted causes: what is said, by whom, and why, all of it before anything is measured.

Ordinary turns are held-out questions of the curriculum that the smallest model was taught, facts told once, in either
style. A planted turn stands in a conversation of such turns. The cause is what was done to it, whatever the models and
features make of it afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from random import Random

from experiments.reference.curriculum import Question, drawn
from experiments.reference.facts import boss_statement, favourite_statement, following_statement, place_statement
from experiments.reference.family import WEIGHTS
from experiments.reference.skills import SKILLS, rows
from experiments.reference.split import Split, seeded
from experiments.reference.verifiers import right
from experiments.reference.wording import Style
from experiments.reference.words import PEOPLE, ROOMS, THINGS
from experiments.snarc.phrases import NEVER_MET, URGENT

SAME = "\0same"
"""Stands for: the larger level says what the smaller said."""

VOICE = (-26.0, 2.0, 2.7, 0.35)
"""Loudness (decibels) and rate (words a second) of ordinary speech: mean and standard deviation of each."""


@dataclass(frozen=True)
class Turn:
    """One thing said, and what is done about it."""

    session: str
    text: str
    cause: str = ""
    """The dimension that it is to move, `unrewarded` for a control, or "" for an ordinary turn."""
    how: str = ""
    """In which way."""
    counted: bool = False
    """Whether it is compared; the turns that prepare one are not."""
    loudness: float | None = None
    rate: float | None = None
    larger: str | None = None
    """What a larger level says; None where the smallest answers alone."""
    small_too: bool = True
    """Whether the smallest was asked before the larger."""
    sure: float = 0.95
    """Confidence of the larger level."""
    asked: Question | None = field(default=None, compare=False)
    """Where a verifier is to judge the answer."""
    told: float | None = None
    """What a person says of the answer afterwards."""

    def written(self) -> dict[str, object]:
        """As it stands in raw.jsonl."""
        rest = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "asked"}
        return {**rest, "verified": self.asked is not None}


Conversation = list[Turn]
Rows = list[tuple[str, int]]
"""Skills with their difficulties."""


def planted(seed: int, *, each: int, ordinary: int, warm: int) -> list[Turn]:
    """`warm` ordinary conversations to learn from, then `ordinary` counted ones and `each` for every way of planting.

    Up to six conversations go on at a time, in an order drawn by the seed.
    """
    random = seeded(f"snarc/{seed}")
    making = Making(random)
    before = [making.ordinary() for _ in range(warm)]
    after = [_counted(making.ordinary()) for _ in range(ordinary)]
    for way in making.ways():
        after += [way() for _ in range(each)]
    random.shuffle(after)
    return [*_interleaved(before, random), *_interleaved(after, random)]


class Making:
    """Makes conversations. Topics that must be new are used once."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._sessions = 0
        self._topics = list(NEVER_MET)
        random.shuffle(self._topics)
        self._urgent: list[tuple[str, str]] = []
        known = _shares()
        self._taught = [row for row, share in known.items() if share >= 0.8]
        self._taught_alone = [row for row in self._taught if not SKILLS[row[0]].in_context]
        self._untaught = [row for row, share in known.items() if share <= 0.2]

    def ways(self) -> list[Callable[[], Conversation]]:
        """Every way of planting a cause, and the controls."""
        return [
            self.unlikely_words,
            self.unlikely_reply,
            self.new_topic,
            self.urgent_words,
            self.shouted,
            self.loud_and_fast,
            self.insisted,
            self.verified_right,
            self.told_good,
            self.verified_wrong,
            self.told_bad,
            self.levels_disagree,
            self.denied,
            self.replaced,
            self.to_and_fro,
        ]

    def ordinary(self) -> Conversation:
        """Questions the smallest was taught, typed or spoken; now and then a larger level has been asked and agreed."""
        session = self._session()
        return [*self._lead(session), *self._ordinary_turns(session, self._taught_alone)]

    # Surprise: the smallest model would not have thought so

    def unlikely_words(self) -> Conversation:
        """Known words in places where only words of another kind ever stand: "the kitchen is in the piano"."""
        person, other = self._random.sample(PEOPLE, 2)
        thing, another = self._random.sample(THINGS, 2)
        room = self._random.choice(ROOMS)
        text = self._random.choice(
            (
                place_statement(room, thing),
                place_statement(thing, person),
                favourite_statement(thing, person),
                boss_statement(room, other),
                following_statement(another, person),
            )
        )
        return self._with("surprise", "unlikely words", text)

    def unlikely_reply(self) -> Conversation:
        """A question of a kind that the smallest was never taught: whatever it says, it would not have bet on it."""
        return self._with_question("surprise", "unlikely reply", self._question(self._untaught))

    # Novelty

    def new_topic(self) -> Conversation:
        return self._with("novelty", "topic never met", self._topics.pop())

    # Arousal: an ordinary question, said intensely

    def urgent_words(self) -> Conversation:
        self._urgent = self._urgent or self._urgent_in_turn()
        listed, phrase = self._urgent.pop()
        asked = self._alone()
        text = phrase.format(question=asked.messages[-1].content.lower())
        return self._with("arousal", f"urgent words, {listed}", text)

    def shouted(self) -> Conversation:
        text = self._alone().messages[-1].content.rstrip("?.")
        text = self._random.choice((text + "!!", text.upper(), text.upper() + "!"))
        return self._with("arousal", "shouted in writing", text)

    def loud_and_fast(self) -> Conversation:
        text = self._alone(Style.SPOKEN).messages[-1].content
        loud, rate = VOICE[0] + self._random.uniform(8, 14), VOICE[2] * self._random.uniform(1.3, 1.8)
        return self._with("arousal", "loud and fast voice", text, loudness=loud, rate=rate)

    def insisted(self) -> Conversation:
        """The very same question for the third time in a row."""
        session, text = self._session(), self._alone().messages[-1].content
        before = [Turn(session, text), Turn(session, text)]
        return [*self._lead(session), *before, Turn(session, text, "arousal", "said for the third time", counted=True)]

    # Reward: the same answers, and somebody says how right they were

    def verified_right(self) -> Conversation:
        asked = self._alone()
        return self._with_question("reward", "verified right", asked, larger=asked.answer, small_too=False, asked=asked)

    def verified_wrong(self) -> Conversation:
        asked, wrong = self._with_wrong_answer()
        return self._with_question("unrewarded", "verified wrong", asked, larger=wrong, small_too=False, asked=asked)

    def told_good(self) -> Conversation:
        return self._with_question("reward", "told it was good", self._alone(), told=1.0)

    def told_bad(self) -> Conversation:
        return self._with_question("unrewarded", "told it was bad", self._alone(), told=0.0)

    # Conflict

    def levels_disagree(self) -> Conversation:
        """Of a question on which the smallest is in doubt, the larger level says something that is drawn for it."""
        asked = self._question(self._untaught)
        other = drawn(self._random, SKILLS[asked.skill], asked.difficulty, Split.HELD_OUT, Style.SPOKEN)
        return self._with_question("conflict", "levels disagree", asked, larger=other.answer)

    def denied(self) -> Conversation:
        thing, room = self._random.choice(THINGS), self._random.choice(ROOMS)
        return self._against("denied", place_statement(thing, room), f"the {thing} is not in the {room}")

    def replaced(self) -> Conversation:
        thing, (room, other) = self._random.choice(THINGS), self._random.sample(ROOMS, 2)
        return self._against("replaced", place_statement(thing, room), place_statement(thing, other))

    def to_and_fro(self) -> Conversation:
        """Two matters by turns: A B A B A."""
        session = self._session()
        one, other = (self._alone(Style.SPOKEN).messages[-1].content for _ in range(2))
        before = [Turn(session, text) for text in (one, other, one, other)]
        return [*before, Turn(session, one, "conflict", "to and fro", counted=True)]

    # Parts

    def _against(self, how: str, said: str, against: str) -> Conversation:
        session = self._session()
        between = self._ordinary_turns(session, self._taught_alone)
        return [Turn(session, said), *between, Turn(session, against, "conflict", how, counted=True)]

    def _with(self, cause: str, how: str, text: str, **given: object) -> Conversation:
        session = self._session()
        turn = Turn(session, text, cause, how, counted=True)
        return [*self._lead(session), replace(turn, **given)]  # type: ignore[arg-type]

    def _with_question(self, cause: str, how: str, question: Question, **given: object) -> Conversation:
        session = self._session()
        *before, last = _said(question, session)
        return [*self._lead(session), *before, replace(last, cause=cause, how=how, counted=True, **given)]  # type: ignore[arg-type]

    def _lead(self, session: str) -> Conversation:
        """Facts are told once in a conversation: told anew, they could contradict what nobody meant to contradict."""
        first = self._ordinary_turns(session, self._taught)
        return first + (self._ordinary_turns(session, self._taught_alone) if self._random.random() < 0.5 else [])

    def _ordinary_turns(self, session: str, among: Rows) -> Conversation:
        turns = _said(self._question(among), session)
        if self._random.random() < 0.3:
            turns = [replace(turn, loudness=self._loudness(), rate=self._rate()) for turn in turns]
        if self._random.random() < 0.15:
            turns[-1] = replace(turns[-1], larger=SAME)
        return turns

    def _question(self, among: Rows, style: Style | None = None) -> Question:
        skill, difficulty = self._random.choice(among)
        style = style or self._random.choice(tuple(Style))
        return drawn(self._random, SKILLS[skill], difficulty, Split.HELD_OUT, style)

    def _alone(self, style: Style | None = None) -> Question:
        """A question that the smallest was taught and that rests on nothing told before."""
        return self._question(self._taught_alone, style)

    def _with_wrong_answer(self) -> tuple[Question, str]:
        while True:
            asked = self._alone()
            other = drawn(self._random, SKILLS[asked.skill], asked.difficulty, Split.HELD_OUT, Style.SPOKEN).answer
            if not right(SKILLS[asked.skill], other, asked.answer):
                return asked, other

    def _urgent_in_turn(self) -> list[tuple[str, str]]:
        """All of them in random order, by turns one of those that are listed and one of the others."""
        half = len(URGENT) // 2
        listed, others = self._random.sample(URGENT[:half], half), self._random.sample(URGENT[half:], half)
        return [
            each for pair in zip(listed, others, strict=True) for each in zip(("listed", "others"), pair, strict=True)
        ]

    def _loudness(self) -> float:
        return self._random.gauss(VOICE[0], VOICE[1])

    def _rate(self) -> float:
        return max(1.0, self._random.gauss(VOICE[2], VOICE[3]))

    def _session(self) -> str:
        self._sessions += 1
        return f"conversation {self._sessions}"


def _said(asked: Question, session: str) -> Conversation:
    """What the person says of a question: the facts it rests on, then the question."""
    return [Turn(session, message.content) for message in asked.messages if message.role == "user"]


def _counted(conversation: Conversation) -> Conversation:
    """An ordinary conversation whose last turn is compared with planted ones."""
    return [*conversation[:-1], replace(conversation[-1], counted=True)]


def _interleaved(conversations: list[Conversation], random: Random) -> Iterator[Turn]:
    waiting, under_way = [list(each) for each in conversations], []
    while waiting or under_way:
        while waiting and len(under_way) < 6:
            under_way.append(waiting.pop(0))
        going = random.choice(under_way)
        yield going.pop(0)
        under_way = [each for each in under_way if each]


def _shares() -> dict[tuple[str, int], float]:
    """How often the smallest model answered each held-out row right when it was released."""
    figures = json.loads((WEIGHTS / "figures.json").read_text())["figures"]["sensory"]["skills"]
    return {(skill, difficulty): figures[f"{skill}/{difficulty}"]["share"] for skill, difficulty in rows()}
