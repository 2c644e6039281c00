"""The curriculum: questions with known answers. Pure: everything follows from a seed.

Taught and held-out questions are disjoint by construction, by the hash of their wording and by the hash of their
content (`split.py`). The conversations to learn from (`conversation.py`) are made of taught questions only.
"""

from dataclasses import dataclass
from random import Random

from experiments.reference.facts import Facts
from experiments.reference.skill import Problem, Skill, Template
from experiments.reference.skills import SKILLS
from experiments.reference.split import Split, seeded
from experiments.reference.wording import NOTED, Style, question, telling

USER, ASSISTANT = "user", "assistant"
ASIDES = ("talk", "device", "setting")
"""Skills that distract while facts are told."""
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
    return [drawn(random, SKILLS[skill], difficulty, split, styles[n % len(styles)]) for n in range(count)]


def drawn(random: Random, skill: Skill, difficulty: int, split: Split, style: Style) -> Question:
    """One question of the side of `split`, with what must be told before it."""
    template, problem = draw(random, skill, difficulty, split)
    told = _told(random, problem.facts, split, style)
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


def _told(random: Random, facts: Facts, split: Split, style: Style) -> list[Message]:
    """The facts, in one message for every four; from the second on, other questions may come between."""
    messages: list[Message] = []
    for number, piece in enumerate(facts.pieces(-(-len(facts.statements()) // 4))):
        if number and random.random() < 0.5:
            messages += exchange(random, SKILLS[random.choice(ASIDES)], 1, split, style)
        messages += telling_of(random, piece, style)
    return messages


def telling_of(random: Random, facts: Facts, style: Style) -> list[Message]:
    """The facts in one message, and that it was heard."""
    return [Message(USER, telling(random, facts, style)), Message(ASSISTANT, NOTED)]


def exchange(random: Random, skill: Skill, difficulty: int, split: Split, style: Style) -> list[Message]:
    """A question drawn on the side of `split`, and its right answer."""
    template, problem = draw(random, skill, difficulty, split)
    asked = question(random, template, problem.slots, style)
    return [Message(USER, asked), Message(ASSISTANT, answer_to(skill, problem))]
