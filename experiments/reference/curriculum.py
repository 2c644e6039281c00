"""The curriculum: questions with known answers, and conversations made of them. Pure: everything follows from a seed.

Taught and held-out questions are disjoint by construction, by the hash of their wording and by the hash of their
content (`split.py`). A conversation to learn from is made of taught questions only.
"""

from dataclasses import dataclass
from random import Random

from experiments.reference.diet import Diet
from experiments.reference.facts import Facts
from experiments.reference.skill import Problem, Skill, Template
from experiments.reference.skills import SKILLS, household, memory
from experiments.reference.split import Split, seeded
from experiments.reference.wording import NOTED, Style, question, telling

USER, ASSISTANT = "user", "assistant"
SYSTEM_PROMPTS = ("You are sage.", "You are a helpful assistant.", "Answer shortly.")


@dataclass(frozen=True)
class Message:
    role: str
    content: str


@dataclass(frozen=True)
class Question:
    """A question that ends `messages`, with everything known about it."""

    skill: str
    difficulty: int
    template: str
    content: str
    messages: tuple[Message, ...]
    answer: str


def questions(
    split: Split, skill: str, difficulty: int, seed: int, count: int, *, style: Style | None = None
) -> list[Question]:
    """`count` questions of one skill, each with what must be told before it. No style: spoken and typed by turns.

    Where fewer different ones exist than asked for, some come twice.
    """
    random = seeded(f"questions/{split}/{skill}/{difficulty}/{seed}")
    styles = (style,) if style else tuple(Style)
    return [_question(random, SKILLS[skill], difficulty, split, styles[n % len(styles)]) for n in range(count)]


def _question(random: Random, skill: Skill, difficulty: int, split: Split, style: Style) -> Question:
    template, problem = draw(random, skill, difficulty, split)
    told = _told(random, problem.facts, style) if problem.facts.statements() else []
    asked = Message(USER, question(random, template, problem.slots, style))
    return Question(
        skill.name,
        difficulty,
        template.id,
        skill.content_id(template, problem),
        (*told, asked),
        answer_to(skill, problem),
    )


def draw(random: Random, skill: Skill, difficulty: int, split: Split) -> tuple[Template, Problem]:
    """A wording and a problem that both lie on the side of `split`."""
    while True:
        template = random.choice(skill.templates_of(split))
        problem = skill.draw(random, difficulty)
        if skill.split_of(template, problem) is split:
            return template, problem


def answer_to(skill: Skill, problem: Problem) -> str:
    answer = skill.solve(problem.slots, problem.facts)
    if answer is None:
        raise ValueError(f"{skill.name} drew a problem that it cannot solve: {problem}")
    return answer


def _told(random: Random, facts: Facts, style: Style) -> list[Message]:
    return [Message(USER, telling(random, facts, style)), Message(ASSISTANT, NOTED)]


def conversation(random: Random, diet: Diet, copying: float, room: int) -> list[Message]:
    """One conversation to learn from, of at most about `room` tokens. `copying`: the share that only repeats words."""
    style = random.choice(tuple(Style))
    opening = [Message("system", random.choice(SYSTEM_PROMPTS))] if random.random() < 0.2 else []
    if random.random() < copying:
        return opening + _copying(random, style, room)
    if random.random() < diet.memory:
        return opening + _remembering(random, diet, style, room)
    return opening + _asking(random, diet, style, room)


def _copying(random: Random, style: Style, room: int) -> list[Message]:
    length = random.randint(8, max(9, min(100, (room - 40) // 2)))
    template, problem = draw(random, SKILLS["echo"], length, Split.TRAIN)
    return _turn(random, SKILLS["echo"], template, problem, style)


def _asking(random: Random, diet: Diet, style: Style, room: int) -> list[Message]:
    """Questions that have nothing to do with each other."""
    turns = random.randint(1, max(1, min(8, (room - 30) // 32)))
    return [message for _ in range(turns) for message in _any_turn(random, diet, style)]


def _any_turn(random: Random, diet: Diet, style: Style) -> list[Message]:
    name, difficulty = diet.pick(random)
    skill = SKILLS[name]
    template, problem = draw(random, skill, difficulty, Split.TRAIN)
    asked, answer = _turn(random, skill, template, problem, style)
    if name in household.RELATIONS and difficulty in diet.hearsay:
        return [asked, Message(ASSISTANT, household.hearsay(random, problem, name))]
    return [asked, answer]


def _turn(random: Random, skill: Skill, template: Template, problem: Problem, style: Style) -> list[Message]:
    asked = question(random, template, problem.slots, style)
    return [Message(USER, asked), Message(ASSISTANT, answer_to(skill, problem))]


def _remembering(random: Random, diet: Diet, style: Style, room: int) -> list[Message]:
    """Facts, then questions on them with others between; or one or two facts and a question in a single breath."""
    count, facts = 0, Facts()
    asked: list[tuple[Skill, Template, Problem]] = []
    while not asked:
        count = random.choice((1, 1, 2, 2, 3, 4, 6, 8, 8, 12, 16))
        draw_facts = random.choice((memory.draw_places, memory.draw_favourites, memory.draw_bosses, memory.draw_bosses))
        facts = draw_facts(random, count)
        asked = _about(random, facts, max(1, min(8, 2 * count, (room - 40 - 9 * count) // 26)))
    if count <= 2 and random.random() < 0.4:
        ending, answer = _turn(random, *asked[0], style)
        return [Message(USER, f"{telling(random, facts, style)} {ending.content}"), answer]
    messages = _told(random, facts, style)
    for skill, template, problem in asked:
        aside = random.random() < 0.1
        messages += _any_turn(random, diet, style) if aside else _turn(random, skill, template, problem, style)
    return messages


def _about(random: Random, facts: Facts, count: int) -> list[tuple[Skill, Template, Problem]]:
    """Up to `count` taught questions on the facts; none where all of them are held out."""
    drawn = []
    for _ in range(2 * count):
        skill, problem = _problem_about(random, facts)
        template = random.choice(skill.templates_of(Split.TRAIN))
        if skill.split_of(template, problem) is Split.TRAIN:
            drawn.append((skill, template, problem))
    return drawn[:count]


def _problem_about(random: Random, facts: Facts) -> tuple[Skill, Problem]:
    """A question on one of the facts, or now and then on a thing of which nothing was told."""
    if facts.favourite:
        return SKILLS["recall_favourite"], memory.favourite_problem(facts, random.choice(list(facts.favourite)))
    if facts.boss:
        start = random.choice(list(facts.boss))
        reach = len(memory.chain(facts, start, 3)) - 1
        return SKILLS["hops"], memory.hops_problem(facts, start, random.randint(1, reach))
    if random.random() < 0.12:
        return SKILLS["untold"], memory.untold_problem(random, facts)
    return SKILLS["recall_place"], memory.place_problem(facts, random.choice(list(facts.place)))
