"""The family's judge: says whether an answer to a question of the curriculum is right. Registered as a plugin."""

from collections.abc import Sequence

from experiments.reference.facts import Facts, told
from experiments.reference.skill import Skill, Slots
from experiments.reference.skills import SKILLS
from experiments.reference.spelling import digits
from experiments.reference.wording import plain
from protocol.messages.model import ChatMessage
from runtime.verifiers import Verdict

Understood = tuple[Skill, Slots, Facts, str]
"""A skill, what its question asks, the facts it rests on, and a right answer."""


class CurriculumVerifier:
    """Knows every question that the curriculum can ask, taught or held out, spoken or typed."""

    name = "reference"

    def verify(self, messages: Sequence[ChatMessage], answer: str) -> Verdict | None:
        """Judge `answer` to the last message; None where the curriculum has no such question, or cannot know."""
        understood = understand([message.content for message in messages if message.role == "user"])
        if understood is None:
            return None
        skill, slots, facts, expected = understood
        return Verdict(
            score=1.0 if right(skill, answer, expected) else 0.0,
            skill=f"{skill.name}/{skill.difficulty(slots, facts)}",
            expected=expected,
        )


def right(skill: Skill, answer: str, expected: str) -> bool:
    """Whether two answers say the same, in what counts for this skill."""
    found = skill.key(_lower(answer))
    return found is not None and found == skill.key(_lower(expected))


def understand(said: Sequence[str]) -> Understood | None:
    """What the last of a person's messages asks, in the light of all of them; None where no skill can answer it."""
    if not said:
        return None
    texts = [plain(text) for text in said]
    facts = told(texts)
    for skill in SKILLS.values():
        slots = skill.read(texts[-1])
        if slots is None:
            continue
        expected = skill.solve(slots, facts)
        if expected is not None:
            return skill, slots, facts, expected
    return None


def _lower(answer: str) -> str:
    return digits(" ".join(answer.lower().split()))
