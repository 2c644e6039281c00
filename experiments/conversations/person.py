"""A simulated person in a conversation: says what the script has next, and reacts to what was wrong. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from random import Random

from experiments.conversations.script import JUDGED, Kind, Saying
from experiments.conversations.world import World
from experiments.reference.verifiers import CurriculumVerifier, understand
from nodes.dialogue.answers import PATTERN
from protocol.messages.dialogue import Answer
from protocol.messages.model import ChatMessage

_WRONG = 0.5


class Person:
    def __init__(self, script: Sequence[Saying], world: World, random: Random) -> None:
        self._next = deque(script)
        self._world = world
        self._random = random
        self._said: list[str] = []
        self._verifier = CurriculumVerifier()

    def says(self) -> Saying | None:
        """What comes next; None where the conversation is over."""
        if not self._next:
            return None
        saying = self._next.popleft()
        self._said.append(saying.text)
        return saying

    def judge(self, saying: Saying, answer: Answer | None) -> bool | None:
        """Whether the answer to what was said last is right; None where nobody can tell."""
        if saying.kind is Kind.PATTERN:
            # What is not known here, such as a battery's charge, follows after the pattern's name.
            named = answer.why.partition(";")[0] if answer is not None else ""
            return answer is not None and answer.answered_by == PATTERN and named == f"pattern {saying.pattern}"
        if saying.kind not in JUDGED:
            return None
        if answer is None:
            return False
        verdict = self._verifier.verify(self._messages(), answer.text)
        return None if verdict is None else verdict.score >= _WRONG

    def reacts(self, saying: Saying, right: bool | None) -> None:
        """To an answer: a wrong one may be corrected, or asked for once more, next."""
        if right is not False or saying.kind is Kind.PATTERN:
            return
        draw, wrong = self._random.random(), self._world.wrong
        if draw < wrong.correct:
            self._next.appendleft(Saying(Kind.CORRECT, self._correction()))
        elif draw < wrong.correct + wrong.again and saying.kind is not Kind.AGAIN:
            self._next.appendleft(Saying(Kind.AGAIN, saying.text))

    def feedback(self, right: bool | None) -> float | None:
        """What the person says of the answer when asked how good it was; None: nothing."""
        share = self._world.feedback
        asked, mistaken = self._random.random() < share.share, self._random.random() < share.mistaken
        return None if right is None or not asked else float(right != mistaken)

    def _correction(self) -> str:
        understood = understand(self._said)
        right = understood[3].rstrip(" .") if understood else ""
        usable = [words for words in self._world.corrections if right or "{right}" not in words]
        return self._random.choice(usable).format(right=right)

    def _messages(self) -> list[ChatMessage]:
        return [ChatMessage(role="user", content=text) for text in self._said]
