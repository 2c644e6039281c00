"""Conversations: one person and one assistant, from the first word until there is no more room.

A conversation is made of passages: words to repeat, questions that have nothing to do with each other, and facts with
questions about them, told at once or by and by, with other things between. What was told stays true until the person
says otherwise, however long ago it was.
"""

from collections.abc import Callable
from random import Random

from experiments.reference.curriculum import ASSISTANT, SYSTEM_PROMPTS, USER, Message, answer_to, draw, telling_of
from experiments.reference.diet import Diet, Mix
from experiments.reference.facts import Facts
from experiments.reference.skill import Problem, Skill, Template
from experiments.reference.skills import SKILLS, chains, memory
from experiments.reference.skills.untold import UNTOLD
from experiments.reference.split import Split
from experiments.reference.wording import Style, question
from experiments.reference.words import PEOPLE, THINGS

Size = Callable[[Message], int]
"""How many tokens a message takes."""

_COUNTS = (1, 1, 2, 2, 3, 4, 6, 8, 8, 12, 16)
_SUBJECTS = (1, 1, 1, 2, 3, 4, 6, 8)
"""How many facts one question is about."""
_SHORTEST_COPY, _LONGEST_COPY = 4, 100
_QUESTIONS = 8
"""At most so many questions in a row that have nothing to do with each other."""
_TRIES = 3
_FREE = 120
"""Tokens left for the questions about facts that were told long before."""
_OUT_OF_THE_BLUE = 0.3
"""For every question after a telling that nothing told so far answers, so many without a telling."""


class Conversation:
    """Grows by passages until `room` tokens are filled as far as whole turns can fill them."""

    def __init__(self, random: Random, diet: Diet, room: int, size: Size, split: Split = Split.TRAIN) -> None:
        self.messages: list[Message] = []
        self._random = random
        self._diet = diet
        self._room = room
        self._size = size
        self._split = split
        self._told = Facts()
        self._style = random.choice(tuple(Style))

    def fill(self, mix: Mix) -> None:
        if self._random.random() < 0.2:
            self._add(Message("system", self._random.choice(SYSTEM_PROMPTS)))
        misses = 0
        while misses < _TRIES:
            if self._random.random() < 0.1:
                self._style = self._random.choice(tuple(Style))
            misses = 0 if self._passage(mix) else misses + 1

    def _passage(self, mix: Mix) -> bool:
        """Whether anything was added."""
        if mix.distant and self._random.random() < mix.distant:
            return self._remember_long(mix)
        if self._random.random() < mix.copying:
            return self._copy()
        if self._random.random() < mix.memory:
            if self._random.random() < mix.untold * _OUT_OF_THE_BLUE:
                return self._ask_untold()
            return self._remember(mix)
        return self._ask_a_few()

    def _copy(self) -> bool:
        """A list of 4 to 100 words, short ones as often as long ones (log-uniform): on these copying begins."""
        length = round(_SHORTEST_COPY * (_LONGEST_COPY / _SHORTEST_COPY) ** self._random.random())
        length = max(_SHORTEST_COPY, min(length, (self._room - 20) // 2))
        return self._turn(SKILLS["echo"], *draw(self._random, SKILLS["echo"], length, self._split))

    def _ask_a_few(self) -> bool:
        asked = [self._ask_anything() for _ in range(self._random.randint(1, _QUESTIONS))]
        return any(asked)

    def _ask_anything(self) -> bool:
        name, difficulty = self._diet.pick(self._random)
        skill = SKILLS[name]
        template, problem = draw(self._random, skill, difficulty, self._split)
        if (name, difficulty) in self._diet.hearsay:
            asked = Message(USER, question(self._random, template, problem.slots, self._style))
            heard = skill.hearsay(self._random, problem, difficulty)
            return self._add(asked, Message(ASSISTANT, heard))
        return self._turn(skill, template, problem)

    def _remember(self, mix: Mix) -> bool:
        """Facts, told in one message or in several, then questions about them and about what was told before."""
        count = self._random.choice(_COUNTS)
        new = self._tell(self._new_facts(count), keep_free=30)
        if not new.statements():
            return False  # no room, or nobody left for another chain
        for _ in range(max(2, min(8, 2 * count))):
            if self._random.random() < 0.1:
                self._ask_anything()
            asked = self._about(self._told if self._random.random() < mix.back else new, mix.untold)
            if asked is not None and not self._turn(*asked):
                break
        return True

    def _remember_long(self, mix: Mix) -> bool:
        """Facts, then anything else for a good part of the room that is left, then questions about the facts."""
        new = self._tell(self._new_facts(self._random.choice(_COUNTS)), keep_free=_FREE)
        if not new.statements():
            return False
        until = self._random.uniform(0.0, mix.left) * self._room
        while self._room > max(until, _FREE) and self._ask_anything():
            pass
        for _ in range(self._random.randint(1, 4)):
            asked = self._about(new, mix.untold)
            if asked is not None and not self._turn(*asked):
                break
        return True

    def _ask_untold(self) -> bool:
        """A question that sounds like those about facts, and that nothing told so far answers."""
        kind = self._random.choice(tuple(UNTOLD))
        asked = self._in_split(lambda: self._untold_problem(kind))
        return asked is not None and self._turn(*asked)

    def _untold_problem(self, kind: str) -> tuple[Skill, Problem] | None:
        skill, problem_among = UNTOLD[kind]
        problem = problem_among(self._random, self._told)
        return None if problem is None else (skill, problem)

    def _new_facts(self, count: int) -> Facts:
        """Facts of one kind. Chains use only people and things that are in no chain yet, so that none can close."""
        chained = {*self._told.boss, *self._told.boss.values(), *self._told.following, *self._told.following.values()}
        people = [person for person in PEOPLE if person not in chained]
        things = [thing for thing in THINGS if thing not in chained]
        kinds: list[Callable[[], Facts]] = [
            lambda: memory.draw_places(self._random, count),
            lambda: memory.draw_favourites(self._random, count),
            lambda: chains.draw_bosses(self._random, count, people),
            lambda: chains.draw_row(self._random, count, things),
        ]
        return self._random.choices(kinds, (3, 3, 2, 2))[0]()

    def _tell(self, new: Facts, keep_free: int) -> Facts:
        """Tell the facts, at once or now and then a few at a time with something else between; those that were told."""
        pieces = new.pieces(self._random.randint(1, 4) if self._random.random() < 0.3 else 1)
        said = [telling_of(self._random, piece, self._style) for piece in pieces]
        told = Facts()
        if sum(self._size(message) for turn in said for message in turn) + keep_free > self._room:
            return told
        for piece, turn in zip(pieces, said, strict=True):
            if told.statements() and self._random.random() < 0.3:
                self._ask_anything()
            if self._add(*turn):
                told = told.followed_by(piece)
        self._told = self._told.followed_by(told)
        return told

    def _about(self, facts: Facts, untold: float) -> tuple[Skill, Template, Problem] | None:
        """A question on the facts; the share `untold` of them of their kind, and nothing told so far answers it."""
        name = self._random.choice([kind for kind in UNTOLD if getattr(facts, kind)])
        if self._random.random() < untold:
            return self._in_split(lambda: self._untold_problem(name))
        return self._in_split(lambda: self._problem_about(facts, name))

    def _in_split(self, drawn: Callable[[], tuple[Skill, Problem] | None]) -> tuple[Skill, Template, Problem] | None:
        """One of the conversation's own side; None where chance drew only others."""
        for _ in range(_TRIES):
            found = drawn()
            if found is None:
                continue
            skill, problem = found
            template = self._random.choice(skill.templates_of(self._split))
            if skill.split_of(template, problem) is self._split:
                return skill, template, problem
        return None

    def _problem_about(self, facts: Facts, name: str) -> tuple[Skill, Problem]:
        """On one of `facts`, as it stands by all that was told."""
        random, told = self._random, self._told
        kind = getattr(facts, name)
        subjects = random.sample(list(kind), min(len(kind), random.choice(_SUBJECTS)))
        if len(subjects) > 1 and name == "place":
            return SKILLS["recall_places"], memory.several_places_problem(told, subjects)
        if len(subjects) > 1 and name == "favourite":
            return SKILLS["recall_favourites"], memory.several_favourites_problem(told, subjects)
        subject = subjects[0]
        if name == "favourite":
            return SKILLS["recall_favourite"], memory.favourite_problem(told, subject)
        if name == "boss":
            reach = len(chains.chain(told.boss, subject, chains.FARTHEST)) - 1
            return SKILLS["hops"], chains.hops_problem(told, subject, random.randint(1, reach))
        if name == "following":
            reach = len(chains.chain(told.following, subject, chains.FARTHEST)) - 1
            return SKILLS["space"], chains.space_problem(told, subject, random.randint(1, reach))
        return SKILLS["recall_place"], memory.place_problem(told, subject)

    def _turn(self, skill: Skill, template: Template, problem: Problem) -> bool:
        asked = Message(USER, question(self._random, template, problem.slots, self._style))
        return self._add(asked, Message(ASSISTANT, answer_to(skill, problem)))

    def _add(self, *messages: Message) -> bool:
        """Append the messages if there is room for all of them."""
        size = sum(map(self._size, messages))
        if size > self._room:
            return False
        self._room -= size
        self.messages += messages
        return True


def conversation(
    random: Random, diet: Diet, mix: Mix, room: int, size: Size, split: Split = Split.TRAIN
) -> list[Message]:
    """One conversation of at most `room` tokens, as `size` counts them; about as many as fit."""
    grown = Conversation(random, diet, room, size, split)
    grown.fill(mix)
    return grown.messages
