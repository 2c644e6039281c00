"""One question to the models: an attempt by the chosen level, and further ones while no answer stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from nodes.dialogue import cascade, conversation, spending
from nodes.dialogue.cascade import Attempt, Decision
from nodes.dialogue.choice import Candidate, Choice
from nodes.dialogue.config import DialogueConfig, LevelConfig
from nodes.dialogue.conversation import Conversation
from nodes.dialogue.exchange import Exchange
from nodes.dialogue.ports import Ports
from nodes.dialogue.spending import Spent
from protocol.errors import CalleeLost, DeadlineExceeded, SageError
from protocol.messages.model import ChatMessage, Generate
from runtime.verifiers import Verdict, Verifier, judge

CONTEXT_TOO_LONG = "model.context_too_long"
"""Code of a worker's error for more tokens than its level takes."""


class Afford(Protocol):
    def __call__(self, level: str, spent: Sequence[Spent], *, least: bool) -> Awaitable[str]:
        """As `nodes.dialogue.purse.Purse.further`."""


@dataclass
class Turn:
    exchange: Exchange
    conversation: Conversation
    choice: Choice
    config: DialogueConfig
    ports: Ports
    verifiers: Sequence[Verifier]
    counts: Counter[str]
    afford: Afford
    attempts: list[tuple[Attempt, Decision]] = field(default_factory=list)
    failed: dict[str, SageError] = field(default_factory=dict)
    """Level → why it gave no answer."""
    beyond: frozenset[str] = frozenset()
    """Levels for which there is no energy. They are asked only where no other answers at all."""
    lost: list[Spent] = field(default_factory=list)
    """What answers took that died with their workers."""

    @property
    def messages(self) -> list[ChatMessage]:
        return conversation.asking(self.conversation, self.exchange.ask.text, self.config.system)

    @property
    def spent(self) -> list[Spent]:
        """What all that was asked took, as far as that is not its worker's to settle."""
        return [*(spending.of(attempt.generated) for attempt, _ in self.attempts), *self.lost]

    async def take(self) -> Attempt:
        """The attempt to answer with, its text given out. Raises what the last level raised if none answered at all."""
        level: LevelConfig | None = self._level(self.choice.level)
        while level is not None:
            level = await self._try(level)
        if not self.attempts:
            raise next(reversed(self.failed.values()))
        chosen, _ = self.attempts[-1]
        text = chosen.generated.text.strip()
        if self.exchange.said.strip() != text:
            self.exchange.withdraw()
            await self.exchange.say(text, chosen.level.name)
        return chosen

    async def _try(self, level: LevelConfig) -> LevelConfig | None:
        """Let a level answer. Returns the one that should go on, None where there is nothing more to do."""
        following = self._following(level)
        try:
            attempt = await self._attempt(level, following)
        except SageError as error:
            self.failed[level.name] = error
            self.counts[f"failed.{level.name}"] += 1
            self.exchange.notes.append(f"{level.name} gave no answer: {error}")
            self.exchange.withdraw()
            return await self._instead(self._following(level) or self._preceding(level) or self._dearer(level))
        decision = self._judge(attempt, following)
        if following is not None and not decision.accept:
            silent = not attempt.generated.text.strip()
            spent = [*self.spent, spending.of(attempt.generated)]
            decision = self._judge(attempt, following, await self.afford(following.name, spent, least=silent))
        self.attempts.append((attempt, decision))
        if decision.accept:
            return None
        self.counts[f"handed_on.{level.name}"] += 1
        self.exchange.withdraw()
        return following

    def _judge(self, attempt: Attempt, following: LevelConfig | None, refused: str = "") -> Decision:
        return cascade.judge(
            attempt,
            _candidate(following) if following else None,
            asked_for=bool(self.exchange.ask.level),
            time_left=self.exchange.remaining_s > self.config.times.spare,
            stands_at=self.choice.stands_at.get(attempt.level.name),
            refused=refused,
        )

    async def _instead(self, level: LevelConfig | None) -> LevelConfig | None:
        """`level`, now that another has failed; none where there is no energy for it, and an answer that can stand."""
        if level is None:
            return None
        silent = not any(attempt.generated.text.strip() for attempt, _ in self.attempts)
        if refused := await self.afford(level.name, self.spent, least=silent):
            self.exchange.notes.append(f"there was no energy for {level.name} ({refused})")
            return None
        return level

    async def _attempt(self, level: LevelConfig, following: LevelConfig | None) -> Attempt:
        """One level's answer to as much of the conversation as it takes."""
        while True:
            try:
                return await self._generate(level, following)
            except SageError as error:
                code = getattr(error, "remote_code", error.code)
                if code != CONTEXT_TOO_LONG or not self.conversation.messages:
                    raise
                self.conversation = conversation.shortened(self.conversation)
                self.counts["shortened"] += 1
                self.exchange.notes.append(f"the older half of the conversation was left out for {level.name}")

    async def _generate(self, level: LevelConfig, following: LevelConfig | None) -> Attempt:
        ask, times = self.exchange.ask, self.config.times
        deadline = self.exchange.remaining_s * (times.first_share if following else 1.0)
        if deadline <= 0:
            raise DeadlineExceeded("no time is left for it", place=level.name)
        messages = self.messages
        request = Generate(
            messages=messages,
            session=ask.session,
            max_new_tokens=ask.max_new_tokens,
            judge_input=level is self.config.levels[0],  # what surprises the smallest is what it could still learn
        )
        live = self.choice.trusted or following is None
        began_ns, tokens = self.ports.mono_ns(), 0
        taken_s = self.ports.outlook().cpu_s.get(level.worker)
        with self.exchange.stage(f"generate.{level.name}") as stage:
            try:
                async with self.ports.generate(
                    level.worker, request, deadline=deadline, trace=self.exchange.trace
                ) as generation:
                    async for token in generation:
                        tokens += 1
                        if live:
                            await self.exchange.say(token.text, level.name)
                    generated = generation.reply
            except CalleeLost:
                stage.detail = f"lost after {tokens} tokens"
                self.lost.append(self._lost(level, tokens, began_ns, taken_s))
                raise
            spent = ", ".join(f"{name} {seconds:.3f}" for name, seconds in generated.seconds.items())
            stage.detail = f"{generated.tokens_reused} reused, {generated.tokens_computed} computed; {spent}"
        seconds = (self.ports.mono_ns() - began_ns) / 1e9
        verifier, verdict = self._verify(messages, generated.text)
        calibrated = self.ports.outlook().lesson.calibrated(generated)
        return Attempt(_candidate(level), generated, seconds, verifier, verdict, calibrated)

    def _lost(self, level: LevelConfig, tokens: int, began_ns: int, taken_s: float | None) -> Spent:
        """What an answer took whose worker is gone. `taken_s`: processor seconds of its process when it was asked."""
        seen_s = self.ports.outlook().cpu_s.get(level.worker, 0.0)
        return spending.lost(
            self.ports.costs(level.name),
            sum(len(message.content) for message in self.messages),
            tokens,
            seconds=(self.ports.mono_ns() - began_ns) / 1e9,
            cpu_s=max(0.0, seen_s - taken_s) if taken_s is not None else 0.0,
        )

    def _verify(self, messages: Sequence[ChatMessage], text: str) -> tuple[str, Verdict | None]:
        if not self.config.verify or not self.verifiers:
            return "", None
        with self.exchange.stage("verify") as stage:
            try:
                found = judge(self.verifiers, messages, text)
            except Exception as error:  # A verifier is another package's code; it may not cost the asker his answer.
                self.counts["verifier_failed"] += 1
                self.exchange.notes.append(f"a verifier failed: {type(error).__name__}: {error}")
                return "", None
            stage.detail = f"{found[0]}: {found[1].score:.2f} at {found[1].skill}" if found else "no verifier knows it"
        return found or ("", None)

    def _following(self, level: LevelConfig) -> LevelConfig | None:
        """The next larger level that has not failed; none where the asker wanted this one."""
        if self.exchange.ask.level:
            return None
        larger = self.config.levels[self.config.levels.index(level) + 1 :]
        gone = self.ports.outlook().gone
        passed = gone | self.beyond
        left = [one for one in larger if one.name not in self.failed and not passed & {one.worker, one.name}]
        relied = [one for one in left if one.name not in self.choice.passed_over]
        return next(iter(relied or left), None)

    def _dearer(self, level: LevelConfig) -> LevelConfig | None:
        """The next larger level, though there is no energy for it: better overdrawn than silent."""
        if not self.beyond:
            return None
        self.beyond = frozenset()
        return self._following(level)

    def _preceding(self, level: LevelConfig) -> LevelConfig | None:
        """The next smaller level that has not been tried: better a small answer than none."""
        if self.exchange.ask.level or self.attempts:
            return None
        smaller = self.config.levels[: self.config.levels.index(level)]
        return next((one for one in reversed(smaller) if one.name not in self.failed), None)

    def _level(self, name: str) -> LevelConfig:
        return next(level for level in self.config.levels if level.name == name)


def _candidate(level: LevelConfig) -> Candidate:
    return Candidate(level.name, level.cost, level.accept_at)
