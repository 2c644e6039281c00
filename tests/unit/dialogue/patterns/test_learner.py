"""From answers to a proposal, from a proposal to a pattern in force, and back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import structlog

from nodes.dialogue.cascade import Attempt, Decision
from nodes.dialogue.choice import Candidate
from nodes.dialogue.deliveries import Finished
from nodes.dialogue.grounds import Question
from nodes.dialogue.patterns import LiveValues, Patterns
from nodes.dialogue.patterns.learner import Learner, opened
from protocol.errors import BadRequest
from protocol.messages.context import Context, Reward
from protocol.messages.dialogue import Answer
from protocol.messages.model import ChatMessage, Generated
from protocol.messages.patterns import DecidePattern, ListProposals, RemovePattern
from protocol.messages.trust import TrustRow, TrustTable

DAY_S = 86_400.0
TABLE = TrustTable(
    entries=9,
    rows=[TrustRow(level="tactical", version="v1", context="stable", mean=0.9, low=0.8, high=0.95, evidence=9)],
)
FILE = """
patterns: [{name: greet, phrases: [hi], answer: Hello., positive: [hi], negative: [ho]}]
learning: {%s}
"""


class Kit:
    """A learner on a real database, and what it told."""

    def __init__(self, folder: Path, rule: str = "") -> None:
        self.path = folder / "patterns.yaml"
        self.path.write_text(FILE % rule)
        self.told: list[tuple[Patterns, str]] = []
        self.number = 0
        self.learner: Learner = opened(
            folder,
            str(self.path),
            log=structlog.get_logger(),
            wall_ns=lambda: self.number,
            changed=lambda patterns, problem: self.told.append((patterns, problem)),
        )

    async def answered(self, text: str = "Who made you?", answer: str = "Tom did.", **changes: Any) -> str:
        """One more exchange, on another day in another conversation; its id."""
        self.number += 1
        before = changes.pop("before", (f"remark {self.number}", "noted"))
        session = changes.pop("session", f"s{self.number}")
        ident = f"e{self.number}"
        self.learner.note(
            question(text, before),
            finished(ident, answer, session=session, **changes),
            TABLE,
            LiveValues(self.number * DAY_S, state="WAKE"),
        )
        await self.worked()
        return ident

    async def worked(self) -> None:
        """Let the round do all that waits."""
        task = asyncio.get_running_loop().create_task(self.learner.run())
        while self.learner.stats()["queued"]:
            await asyncio.sleep(0)
        async with self.learner._turn:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def proposed(self) -> list[str]:
        return [each.question for each in (await self.learner.proposals(ListProposals())).proposals]

    def answers(self, text: str) -> bool:
        return self.learner.force.patterns.match(text) is not None


def question(text: str, before: tuple[str, ...]) -> Question:
    roles = ("user", "assistant")
    said = [ChatMessage(role=roles[at % 2], content=words) for at, words in enumerate(before)]
    return Question((*said, ChatMessage(role="user", content=text)), 0, "s")


def finished(ident: str, text: str, *, session: str, level: str = "tactical", **changes: Any) -> Finished:
    generated = Generated(
        text=text,
        ids=[1],
        stop_reason="stop",
        tokens_reused=0,
        tokens_computed=1,
        tokens_generated=1,
        confidence=0.9,
        level=level,
        model="m",
        version="v1",
        seconds={},
    )
    attempt = Attempt(Candidate(level, 1.0), generated, 0.1)
    answer = Answer(
        exchange=ident,
        session=session,
        question="q",
        text=text,
        answered_by=level,
        why="",
        context=Context.STABLE,
        score=changes.pop("score", None),
        verifier="v",
    )
    return Finished(answer, [], [(attempt, Decision(True, ""))], attempt, None, 0.0, **changes)


@pytest.fixture
def kit(tmp_path: Path):
    made = Kit(tmp_path)
    yield made
    made.learner.close()


async def test_what_is_always_answered_alike_is_proposed_and_waits_for_a_person(kit: Kit) -> None:
    for _ in range(4):
        await kit.answered()
    assert await kit.proposed() == []
    await kit.answered()
    assert await kit.proposed() == ["who made you"]
    assert not kit.answers("who made you")


async def test_accepted_it_is_in_force_at_once_and_removed_it_is_not_proposed_again(kit: Kit) -> None:
    for _ in range(5):
        await kit.answered()
    (proposal,) = (await kit.learner.proposals(ListProposals())).proposals
    assert "never after its subject had come up" in proposal.grounds
    decided = await kit.learner.decide(DecidePattern(ident=proposal.ident[:6], accept=True, by="eva"))
    assert kit.answers("Who made you?")
    assert kit.told[-1][0].match("who made you") is not None
    (shown,) = (one for one in kit.learner.listed().patterns if one.source == "learned")
    assert (shown.by, shown.version, shown.answer) == ("eva", 1, "Tom did.")
    await kit.learner.remove(RemovePattern(name=decided.name))
    assert not kit.answers("who made you")
    for _ in range(9):
        await kit.answered()
    assert await kit.proposed() == []


async def test_rejected_it_is_never_proposed_again(kit: Kit) -> None:
    for _ in range(5):
        await kit.answered()
    (proposal,) = (await kit.learner.proposals(ListProposals())).proposals
    await kit.learner.decide(DecidePattern(ident=proposal.ident, accept=False, by="eva"))
    for _ in range(9):
        await kit.answered()
    assert await kit.proposed() == []
    with pytest.raises(BadRequest, match="rejected"):
        await kit.learner.decide(DecidePattern(ident=proposal.ident, accept=True, by="eva"))


async def test_a_correction_by_the_next_turn_or_by_feedback_or_a_verifier_takes_it_back(kit: Kit) -> None:
    for text in ("who made you", "who feeds you", "who fixed you"):
        exchanges = [await kit.answered(text) for _ in range(5)]
    assert len(await kit.proposed()) == 3
    kit.learner.judged(exchanges[2], 0.0, "user")
    await kit.worked()
    assert await kit.proposed() == ["who feeds you", "who made you"]
    await kit.answered("who made you", score=0.0)
    assert await kit.proposed() == ["who feeds you"]
    last = await kit.answered("who feeds you")
    await kit.answered("something else", hindsight=Reward(exchange=last, value=0.0, source="correction"))
    assert await kit.proposed() == []


async def test_an_answer_that_changes_with_what_was_said_before_is_never_proposed(kit: Kit) -> None:
    for place in ("hall", "kitchen", "hall", "hall", "hall", "hall", "hall"):
        await kit.answered("where is the cup", f"In the {place}.", before=(f"the cup is in the {place}", "noted"))
    assert await kit.proposed() == []


async def test_one_conversation_that_goes_on_from_day_to_day_is_enough(kit: Kit) -> None:
    for _ in range(5):
        await kit.answered(session="default")
    assert await kit.proposed() == ["who made you"]


async def test_asked_again_and_again_in_its_own_sight_it_is_not_proposed(kit: Kit) -> None:
    for _ in range(9):
        await kit.answered(before=("who made you?", "Tom did."))
    assert await kit.proposed() == []


async def test_always_on_the_same_ground_it_is_not_proposed(kit: Kit) -> None:
    for _ in range(9):
        await kit.answered(before=())
    assert await kit.proposed() == []


async def test_the_level_has_to_be_trusted(kit: Kit) -> None:
    for _ in range(9):
        await kit.answered(level="sensory")
    assert await kit.proposed() == []


async def test_what_a_pattern_answers_already_is_not_proposed(kit: Kit) -> None:
    for _ in range(9):
        await kit.answered("Hi!")
    assert await kit.proposed() == []


async def test_a_rule_may_accept_what_was_shown_to_be_independent(tmp_path: Path) -> None:
    kit = Kit(tmp_path, "accepted_after: {times: 6, related: 1}")
    for word in ("apple", "bread", "cheese", "dates", "eggs"):
        for other in "abcdefghijkl":
            await kit.answered(f"{word} {other}", "Yes.")
    for _ in range(5):
        await kit.answered()
    await kit.learner._refresh()
    assert not kit.answers("who made you")
    await kit.answered(before=("somebody made a cake", "noted"))
    await kit.learner._refresh()
    assert kit.answers("who made you")
    (shown,) = (one for one in kit.learner.listed().patterns if one.source == "learned")
    assert shown.by == "rule"
    kit.learner.close()


async def test_questions_lie_sealed_and_survive_a_restart_and_are_forgotten_with_their_conversation(
    tmp_path: Path,
) -> None:
    kit = Kit(tmp_path)
    for _ in range(5):
        await kit.answered()
    kit.learner.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("patterns.sqlite*"))
    assert b"made" not in stored
    assert b"Tom" not in stored
    again = Kit(tmp_path)
    assert await again.proposed() == ["who made you"]
    await again.learner.forget_session("s3")
    assert await again.proposed() == []
    (left,) = (await again.learner.proposals(ListProposals(all=True))).proposals
    assert "4 of 5 answers" in left.lacking
    for number in (1, 2, 4, 5):
        await again.learner.forget_session(f"s{number}")
    assert (await again.learner.proposals(ListProposals(all=True))).proposals == []
    again.learner.close()


async def test_no_more_questions_are_kept_than_allowed_and_decisions_are_kept_longest(tmp_path: Path) -> None:
    kit = Kit(tmp_path, "kept: 3")
    for _ in range(5):
        await kit.answered()
    (proposal,) = (await kit.learner.proposals(ListProposals())).proposals
    await kit.learner.decide(DecidePattern(ident=proposal.ident, accept=False, by="eva"))
    for word in ("apple", "bread", "cheese", "dates", "eggs"):
        await kit.answered(word)
    known = [each.question for each in (await kit.learner.proposals(ListProposals(all=True))).proposals]
    assert len(known) == 3
    assert "who made you" in known
    kit.learner.close()


async def test_an_unreadable_database_is_moved_aside_and_learning_goes_on(tmp_path: Path) -> None:
    (tmp_path / "patterns.sqlite").write_bytes(b"no database" * 100)
    kit = Kit(tmp_path)
    await kit.answered()
    assert list(tmp_path.glob("patterns.sqlite.unreadable-*"))
    kit.learner.close()
