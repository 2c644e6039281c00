"""The one path from words to an answer, for voice, command line and other programs alike (DESIGN §5).

    rouse → pattern? → assume? → classify → choose → reserve → generate → does it stand? else the next level → outbox

It reaches the world only through `Ports`. Where something it would rather have is gone (the sense of context, the
controller, a worker), it goes on without, says so in the answer's `why`, and counts it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from weakref import WeakValueDictionary

import msgspec

from nodes.dialogue import answers, asked, conversation, hindsight, overrides, spending
from nodes.dialogue.answers import PATTERN
from nodes.dialogue.cascade import cut
from nodes.dialogue.choice import Candidate, Choice, Situation, choose
from nodes.dialogue.config import DialogueConfig
from nodes.dialogue.conversation import Conversation
from nodes.dialogue.critical import NOTHING, Critical
from nodes.dialogue.deliveries import UNKNOWN_CONTEXT, Finished
from nodes.dialogue.exchange import Exchange
from nodes.dialogue.grounds import Question, Recalled
from nodes.dialogue.patterns import Match, Patterns
from nodes.dialogue.ports import Outlook, Ports
from nodes.dialogue.purse import Purse
from nodes.dialogue.readiness import READY
from nodes.dialogue.reserving import Means
from nodes.dialogue.spending import Rates
from nodes.dialogue.turn import Turn
from nodes.dialogue.unanswered import Unanswered
from nodes.trust_ledger.config import TrustConfig
from protocol.errors import BadRequest, SageError
from protocol.messages.context import Classified, Classify
from protocol.messages.dialogue import Answer, ExchangeCompleted, ExchangeStarted, ReplyCompleted, TraceReply
from protocol.messages.metabolism import Rouse
from runtime.verifiers import Verifier

NOBODY = "nobody"
"""Policy of the states in which nobody answers until roused."""


class Responder:
    def __init__(
        self,
        config: DialogueConfig,
        patterns: Patterns,
        trust: TrustConfig,
        verifiers: Sequence[Verifier],
        ports: Ports,
        critical: Critical = NOTHING,
    ) -> None:
        self.config = config
        self.patterns = patterns
        self.trust = trust
        self.verifiers = verifiers
        self.ports = ports
        self.critical = critical
        self.versions: dict[str, str] = {}
        """Level → the version that answered last."""
        self.counts: Counter[str] = Counter()
        self._purse = Purse(ports, self.counts)
        self._unanswered = Unanswered()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._under_way: dict[str, set[asyncio.Task[object]]] = {}

    async def respond(self, exchange: Exchange) -> Answer:
        """Answer, give the pieces out while they come, and write down what follows. Raises a `SageError`.

        Exchanges of one conversation take turns; a pattern does not wait for its turn.
        """
        ask = exchange.ask
        self._check(exchange)
        self.counts["started"] += 1
        self.ports.say(
            ExchangeStarted(exchange=exchange.ident, session=ask.session, source=ask.source, text=ask.text),
            exchange.trace,
        )
        try:
            finished = await self._answer(exchange)
        except BaseException as error:
            await self._give_up(exchange, error)
            raise
        self.counts[f"answered.{finished.answer.answered_by}"] += 1
        self.ports.say(
            ExchangeCompleted(answer=finished.answer, exchange=exchange.ident, session=ask.session), exchange.trace
        )
        return finished.answer

    async def stop(self) -> None:
        """End whatever is being answered, and wait until it has ended."""
        tasks = [task for session in list(self._under_way) for task in self._stop(session)]
        await asyncio.gather(*tasks, return_exceptions=True)

    def stats(self) -> dict[str, float]:
        return {**self.counts, "under_way": sum(len(tasks) for tasks in self._under_way.values())}

    # The path

    async def _answer(self, exchange: Exchange) -> Finished:
        outlook = await self._rouse(exchange)
        pattern = self._match(exchange)
        if pattern is not None:
            return await self._by_pattern(exchange, pattern, outlook)
        with self._counted(exchange):
            async with self._turn_of(exchange.ask.session):
                return await self._by_model(exchange, outlook)

    async def _rouse(self, exchange: Exchange) -> Outlook:
        """What is known of the others, once the whole is awake."""
        outlook = self.ports.outlook()
        if outlook.metabolic is None:
            self._note(exchange, "metabolism", "the metabolic state is not known")
            return outlook
        if outlook.metabolic.policy.answer != NOBODY:
            return outlook
        with exchange.stage("rouse") as stage:
            try:
                state = await self.ports.rouse(Rouse(reason=f"a question by {exchange.ask.source}"), exchange.trace)
            except SageError as error:
                self._note(exchange, "rouse", f"answered without being roused: {error}")
                return outlook
            stage.detail = f"{outlook.metabolic.state} → {state.state}"
        return replace(outlook, metabolic=state)

    def _match(self, exchange: Exchange) -> Match | None:
        with exchange.stage(PATTERN) as stage:
            if not exchange.ask.text.strip():
                return Match("not_understood", (self.config.phrases.not_understood,))
            pattern = self.patterns.match(exchange.ask.text)
            stage.detail = pattern.name if pattern else "none"
        return pattern

    async def _by_pattern(self, exchange: Exchange, pattern: Match, outlook: Outlook) -> Finished:
        if pattern.name in self.config.stop_patterns:
            self._stop(exchange.ask.session)
        live = replace(
            self.ports.live_values(),
            state=str(outlook.metabolic.state) if outlook.metabolic else None,
            atp=outlook.energy.atp if outlook.energy else None,
        )
        filled = pattern.filled(live)
        for name in filled.missing:
            self._note(exchange, name, f"{name} is not known")
        await exchange.say(filled.text)
        answer = answers.of_pattern(exchange, outlook, pattern)
        return await self._complete(exchange, Finished(answer, [], [], None, None, 0.0), None)

    async def _by_model(self, exchange: Exchange, outlook: Outlook) -> Finished:
        before = await self.ports.conversation(exchange.ask.session)
        question = self._question(exchange, outlook, before)
        recalled = await self._recall(exchange, question)
        if recalled.holds:
            return await self._by_assumption(exchange, outlook, before, question, recalled)
        if self._unanswered.asked(exchange.ask.session, exchange.mono_ns()):
            before = msgspec.structs.replace(before, ended_ns=0)
        exchange.classified = await self._classify(exchange)
        rates = spending.rates(outlook.energy)
        choice = self._choose(exchange, outlook, before)
        means = self._means(outlook, question, rates)
        afford = partial(self._purse.further, exchange, means)
        turn = Turn(exchange, before, choice, self.config, self.ports, self.verifiers, self.counts, afford)
        try:
            turn.choice, turn.beyond = await self._purse.afford(exchange, choice, means)
            chosen = await turn.take()
        except BaseException as error:
            if unsettled := await self._purse.settle_unanswered(exchange, turn.spent, rates):
                error.add_note(unsettled)
            raise
        for attempt, _ in turn.attempts:
            self.versions[attempt.level.name] = attempt.generated.version
        answer = answers.of_model(turn, chosen, outlook, rates)
        after = conversation.extended(
            turn.conversation,
            exchange.ask.text,
            chosen.generated.text,
            chosen.level.name,
            self.config.conversation,
            exchange.ident,
        )
        after = msgspec.structs.replace(
            after, found_wrong=answers.found_wrong(chosen), ended_ns=0 if cut(chosen) else exchange.mono_ns()
        )
        finished = Finished(
            answer,
            turn.messages,
            turn.attempts,
            chosen,
            exchange.classified,
            rates.cpu_s,
            failures=len(turn.failed),
            hindsight=hindsight.of_turn(before, exchange.classified, exchange.begun_ns),
            atp_per_joule=rates.joule,
            staked=exchange.staked,
            choice=turn.choice,
            lost=turn.lost,
        )
        completed = await self._complete(exchange, finished, after)
        self._unanswered.answered(exchange.ask.session)
        await self.ports.remember(question, completed)
        return completed

    def _question(self, exchange: Exchange, outlook: Outlook, before: Conversation) -> Question:
        """What is asked on which grounds. Whoever names a level wants that level, and nothing remembered.

        Where the most capable level has to answer, nothing but what it said before is good enough.
        """
        ask, tuning = exchange.ask, outlook.lesson.tuning
        overruled = overrides.overruled(
            outlook.metabolic.policy.answer if outlook.metabolic else "",
            overrides.of_words(ask.text, ask.critical, self.critical),
            hindsight.found_wrong(before, None),
            tuning is None or tuning.price is not None,
        )
        return Question(
            messages=tuple(conversation.asking(before, ask.text, self.config.system)),
            limit=ask.max_new_tokens,
            session=ask.session,
            only=self.config.levels[-1].name if overruled else "",
            fresh=bool(ask.level),
        )

    async def _recall(self, exchange: Exchange, question: Question) -> Recalled:
        if question.fresh:
            return Recalled(why="a level was asked for")
        with exchange.stage("assume") as stage:
            recalled = await self.ports.recall(question)
            stage.detail = recalled.why or recalled.grounds
        return recalled

    async def _by_assumption(
        self, exchange: Exchange, outlook: Outlook, before: Conversation, question: Question, recalled: Recalled
    ) -> Finished:
        """Say again what was said before: no model, no classifying, but a turn of the conversation like any other."""
        await exchange.say(recalled.text, recalled.level)
        rate = outlook.energy.atp_per_cpu_s if outlook.energy else 0.0
        answer = answers.of_assumption(exchange, outlook, recalled, rate)
        after = conversation.extended(
            before, exchange.ask.text, recalled.text, recalled.level, self.config.conversation
        )
        finished = Finished(answer, [], [], None, None, rate, recalled.cpu_s)
        completed = await self._complete(exchange, finished, after)
        await self.ports.remember(question, completed)
        return completed

    async def _classify(self, exchange: Exchange) -> Classified | None:
        ask = exchange.ask
        with exchange.stage("classify") as stage:
            try:
                request = Classify(
                    text=ask.text,
                    session=ask.session,
                    speech=ask.source == "voice",
                    loudness=ask.loudness,
                    rate=ask.rate,
                )
                classified = await self.ports.classify(request, exchange.trace)
            except SageError as error:
                self._note(exchange, "classify", f"the context is not known: {error}")
                return None
            stage.detail = f"{classified.context} ({classified.confidence:.2f}): {classified.why}"
        return classified

    def _choose(self, exchange: Exchange, outlook: Outlook, before: Conversation) -> Choice:
        policy = outlook.metabolic.policy.answer if outlook.metabolic else "cheapest"
        tuning = outlook.lesson.tuning
        levels = [
            Candidate(
                level.name,
                level.cost,
                level.accept_at,
                level.worker not in outlook.gone,
                outlook.ready.get(level.worker, READY),
            )
            for level in self.config.levels
        ]
        with exchange.stage("choose") as stage:
            situation = Situation(
                context=str(exchange.classified.context) if exchange.classified else UNKNOWN_CONTEXT,
                trust=self.trust,
                table=outlook.table,
                versions=self.versions,
                policy="cheapest" if policy == NOBODY else policy,
                atp=spending.free(outlook.energy) if outlook.energy else None,
                asked_for=exchange.ask.level,
                session_level=before.level,
                draw=self.ports.draw(),
                query=asked.query(exchange.ask, exchange.classified, before),
                tuned=tuning.price if tuning else None,
                proved=tuning is None or tuning.price is not None,
                critical=overrides.of_words(exchange.ask.text, exchange.ask.critical, self.critical),
                found_wrong=hindsight.found_wrong(before, exchange.classified),
                remaining_s=exchange.remaining_s,
            )
            chosen = choose(levels, situation, self.config.choice)
            stage.detail = f"{chosen.level}: {chosen.why}"
        return chosen

    def _means(self, outlook: Outlook, question: Question, rates: Rates) -> Means:
        return Means(
            levels=[level for level in self.config.levels if level.worker not in outlook.gone],
            costs=self.ports.costs,
            table=outlook.table,
            rates=rates,
            characters=sum(len(message.content) for message in question.messages),
            new_tokens=question.limit,
        )

    async def _complete(self, exchange: Exchange, finished: Finished, after: Conversation | None) -> Finished:
        """Close the reply for whoever speaks it, then write down, so that speaking does not wait for the disk."""
        answer = finished.answer
        self._close_reply(exchange, answer.text)
        trace = TraceReply(
            exchange=answer.exchange,
            trace=answer.trace,
            question=answer.question,
            answered_by=answer.answered_by,
            stages=list(exchange.stages),
        )
        with exchange.stage("record"):
            await self.ports.keep(finished, after, trace)
        return replace(finished, answer=msgspec.structs.replace(answer, stages=list(exchange.stages)))

    # When it does not come to an answer

    async def _give_up(self, exchange: Exchange, error: BaseException) -> None:
        """Say that the exchange is over without an answer; aloud where somebody waits for a voice."""
        stopped = not isinstance(error, Exception)
        self.counts["stopped" if stopped else "failed"] += 1
        try:
            if exchange.ask.speak and not stopped:
                exchange.withdraw()
                await exchange.say(self.config.phrases.failed)
        finally:
            if exchange.parts:
                self._close_reply(exchange, exchange.said)
            # One that its asker gave up has not failed: the controller counts failures.
            reason = str(error) if not stopped else "" if exchange.remaining_s > 0 else "out of time"
            self.ports.say(
                ExchangeCompleted(answer=None, exchange=exchange.ident, session=exchange.ask.session, error=reason),
                exchange.trace,
            )

    def _stop(self, session: str) -> list[asyncio.Task[object]]:
        """End what is being answered in the conversation; the tasks that are ending."""
        ending = list(self._under_way.get(session, ()))
        for task in ending:
            task.cancel()
        return ending

    # Bounds and bookkeeping

    def _check(self, exchange: Exchange) -> None:
        ask = exchange.ask
        names = [level.name for level in self.config.levels]
        if ask.level and ask.level not in names:
            raise BadRequest(f"no level {ask.level!r}; there are {', '.join(names)}", place="dialogue/ask: level")
        if not ask.text.strip() and ask.source != "voice":
            raise BadRequest("there is nothing to answer", place="dialogue/ask: text")
        if not ask.session:
            raise BadRequest("a conversation needs a name", place="dialogue/ask: session")

    @contextmanager
    def _counted(self, exchange: Exchange) -> Iterator[None]:
        """The exchange can be stopped while inside."""
        task = asyncio.current_task()
        assert task is not None
        tasks = self._under_way.setdefault(exchange.ask.session, set())
        tasks.add(task)
        try:
            yield
        finally:
            tasks.discard(task)
            if not tasks:
                self._under_way.pop(exchange.ask.session, None)

    def _turn_of(self, session: str) -> asyncio.Lock:
        lock = self._turns.get(session)
        if lock is None:
            lock = self._turns[session] = asyncio.Lock()
        return lock

    def _note(self, exchange: Exchange, what: str, words: str) -> None:
        self.counts[f"without.{what}"] += 1
        exchange.notes.append(words)

    def _close_reply(self, exchange: Exchange, text: str) -> None:
        self.ports.say(
            ReplyCompleted(
                exchange=exchange.ident,
                session=exchange.ask.session,
                text=text,
                parts=exchange.parts,
                speak=exchange.ask.speak,
            ),
            exchange.trace,
        )
