"""What a skill is: wordings, a way to draw problems, and the one function that knows the right answer.

`solve` serves three masters: it writes the answers to learn from, judges the answers of models, and answers for the
verifier, which sees nothing but text. So they cannot disagree.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from random import Random

from experiments.reference.facts import Facts
from experiments.reference.split import Split, side, template_id

OPENERS = ("", "please", "tell me", "please tell me", "sage", "sage tell me", "now")

Slots = Mapping[str, str]


@dataclass(frozen=True)
class Template:
    """One wording: an opener and a body with slots in braces."""

    skill: str
    opener: str
    body: str

    @property
    def text(self) -> str:
        return f"{self.opener} {self.body}".strip()

    @property
    def id(self) -> str:
        return template_id(self.skill, self.text)

    @property
    def split(self) -> Split:
        return side("template", self.text)


@dataclass(frozen=True)
class Problem:
    """Something to ask, before it has words."""

    slots: Slots
    content: str
    """What makes it this problem, whatever the words: two problems of one content are the same."""
    facts: Facts = field(default_factory=Facts)
    """What must have been told before it can be answered."""


@dataclass(frozen=True)
class Skill:
    """`key` maps an answer to what counts in it; two answers of one key are equally right. None: it says nothing."""

    name: str
    bodies: tuple[str, ...]
    patterns: Mapping[str, str]
    """A regular expression for every slot."""
    difficulties: tuple[int, ...]
    draw: Callable[[Random, int], Problem]
    solve: Callable[[Slots, Facts], str | None]
    key: Callable[[str], str | None]
    difficulty: Callable[[Slots, Facts], int]
    in_context: bool = False
    """The answer rests on what was said earlier in the conversation."""
    in_weights: bool = False
    """The answer must have been learned by heart: contents cannot be held out, only wordings of them."""
    rumour: Callable[[Random, Problem], str] | None = None
    """An answer of the right form that anybody might give; by default the right one to another problem."""

    def hearsay(self, random: Random, problem: Problem, difficulty: int) -> str:
        """What one may hear who is not to learn the answer: drawn anew every time, right by chance only."""
        if self.rumour is not None:
            return self.rumour(random, problem)
        other = self.draw(random, difficulty)
        answer = self.solve(other.slots, other.facts)
        if answer is None:
            raise ValueError(f"{self.name} drew a problem that it cannot solve: {other}")
        return answer

    @cached_property
    def templates(self) -> tuple[Template, ...]:
        return tuple(Template(self.name, opener, body) for body in self.bodies for opener in OPENERS)

    def templates_of(self, split: Split) -> tuple[Template, ...]:
        return self._by_split[split]

    @cached_property
    def _by_split(self) -> Mapping[Split, tuple[Template, ...]]:
        return {split: tuple(t for t in self.templates if t.split is split) for split in Split}

    def content_id(self, template: Template, problem: Problem) -> str:
        """What the content hash is taken of. Knowledge is one content per wording: see `in_weights`."""
        return f"{self.name}|{template.text}|{problem.content}" if self.in_weights else f"{self.name}|{problem.content}"

    def split_of(self, template: Template, problem: Problem) -> Split | None:
        """The split to which this question belongs; None for those that are never used."""
        if self.in_weights:
            return template.split
        content = side("content", self.content_id(template, problem))
        return content if content is template.split else None

    @cached_property
    def _readers(self) -> tuple[re.Pattern[str], ...]:
        start = r"(?:^|.*[.,;:!?]? )" if self.in_context else rf"^(?:(?:{'|'.join(filter(None, OPENERS))}) )?"
        longest_first = sorted(self.bodies, key=len, reverse=True)  # `repeat the words {list}` before `repeat {list}`
        return tuple(re.compile(f"{start}{_slotted(body, self.patterns)}$") for body in longest_first)

    def read(self, question: str) -> Slots | None:
        """The slots of a normalised question, if it is one of this skill's."""
        for reader in self._readers:
            if found := reader.match(question):
                return found.groupdict()
        return None


def _slotted(body: str, patterns: Mapping[str, str]) -> str:
    parts = re.split(r"\{(\w+)\}", body)
    return "".join(
        f"(?P<{part}>{patterns[part]})" if position % 2 else re.escape(part) for position, part in enumerate(parts)
    )
