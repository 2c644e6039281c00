"""Learning patterns beside the node's event loop: what was answered goes into a queue, the rest happens in threads.

Nobody waits for it. What is still in the queue when the process dies is lost: a count that is one too low.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import structlog

from nodes.dialogue import cascade
from nodes.dialogue.deliveries import CORRECTION, UNKNOWN_CONTEXT, Finished
from nodes.dialogue.grounds import Question
from nodes.dialogue.patterns import learning
from nodes.dialogue.patterns.accepted import FOLDER, AcceptedPatterns, pattern_of
from nodes.dialogue.patterns.evidence import FILE, TABLES, Evidence
from nodes.dialogue.patterns.force import InForce
from nodes.dialogue.patterns.learning import Occurrence, Record, Standing
from nodes.dialogue.patterns.live import LiveValues, spoken_values
from nodes.dialogue.patterns.pattern import Patterns
from nodes.dialogue.patterns.words import normalised
from nodes.dialogue.store import Store, StoreUnreadable
from protocol.errors import BadRequest
from protocol.messages.patterns import (
    DecidePattern,
    ListProposals,
    PatternDecided,
    PatternRemoved,
    PatternShown,
    PatternsListed,
    Proposal,
    Proposals,
    RemovePattern,
)
from protocol.messages.trust import TrustTable
from runtime.identity import HostIdentity
from runtime.sealing import Sealer, derived_key

T = TypeVar("T")
QUEUE = 256
WRONG = 0.5
"""An outcome under this is a correction."""
RULE = "rule"
EVERY_S = 1.0
"""Seconds between two looks at the files."""


class Learner:
    """The patterns in force, the evidence for more of them, and who decides."""

    def __init__(
        self,
        force: InForce,
        accepted: AcceptedPatterns,
        evidence: Evidence,
        *,
        log: structlog.stdlib.BoundLogger,
        wall_ns: Callable[[], int],
        changed: Callable[[Patterns, str], None],
    ) -> None:
        """`changed` is told the patterns now in force, and what is wrong, whenever either is another."""
        self.force = force
        self.counts: Counter[str] = Counter()
        self._accepted = accepted
        self._evidence = evidence
        self._log = log
        self._wall_ns = wall_ns
        self._changed = changed
        self._queue: asyncio.Queue[Callable[[], None]] = asyncio.Queue(QUEUE)
        self._turn = asyncio.Lock()
        """One thread at a time: a decision must not meet evidence half-way."""

    # What is seen

    def note(self, question: Question, finished: Finished, table: TrustTable, live: LiveValues) -> None:
        """An exchange was answered. At once; the work is done later."""
        if self.force.file.learning.propose:
            self._later(lambda: self._note(question, finished, table, live))

    def judged(self, exchange: str, value: float, by: str) -> None:
        """Somebody says how right an answer was."""
        if value < WRONG:
            self._later(lambda: self._corrected(exchange, f"{by} found the answer wrong"))

    def rounds(self) -> list[Coroutine[Any, Any, None]]:
        """What has to run for as long as the node lives."""
        return [self.run(), self.watch()]

    async def run(self) -> None:
        """Do what is queued."""
        while True:
            work = await self._queue.get()
            try:
                await self._alone(work)
            except Exception as error:  # one answer that cannot be learned from must not end all learning
                self.counts["failed"] += 1
                self._log.warning("patterns.not_learned", error=f"{type(error).__name__}: {error}")

    async def watch(self) -> None:
        """Look at the files now and then, and bring into force what has changed."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self._refresh()

    # What is asked

    def listed(self) -> PatternsListed:
        learned = {each.pattern.name: each for each in self.force.learned}
        shown = []
        for pattern in self.force.patterns.patterns:
            each = learned.get(pattern.name)
            one = PatternShown(name=pattern.name, phrases=list(pattern.phrases), answer=pattern.answer)
            if each is not None:
                one = msgspec.structs.replace(
                    one, source="learned", version=each.version, by=each.by, grounds=each.grounds
                )
            shown.append(one)
        return PatternsListed(
            patterns=shown, path=str(self.force.path), problem=self.force.problem, reads=self.force.reads
        )

    async def proposals(self, request: ListProposals) -> Proposals:
        rule = self.force.file.learning.proposed_after

        def look() -> Proposals:
            records = self._evidence.all(None if request.all else Standing.PROPOSED)
            return Proposals(
                proposals=[
                    Proposal(
                        ident=self._evidence.digest(record.question)[:12],
                        question=record.question,
                        answer=record.answer,
                        grounds=learning.evidence(record),
                        lacking=learning.lacking(record, rule),
                        standing=record.standing,
                    )
                    for record in records
                ]
            )

        return await asyncio.to_thread(look)

    async def decide(self, request: DecidePattern) -> PatternDecided:
        """Raises BadRequest where there is no such proposal, or it cannot be a pattern."""

        def do() -> PatternDecided:
            record = self._evidence.named(request.ident)
            if record.standing is not Standing.PROPOSED:
                raise BadRequest(f"{record.question!r} is {record.standing}, not proposed", place="patterns/decide")
            if request.accept:
                return self._accept(record, request.by or "somebody")
            self._evidence.put(msgspec.structs.replace(record, standing=Standing.REJECTED), self._wall_ns())
            return PatternDecided(question=record.question, answer=record.answer)

        decided = await self._alone(do)
        await self._refresh()
        return decided

    async def remove(self, request: RemovePattern) -> PatternRemoved:
        """Raises BadRequest where no learned pattern has that name. It is not proposed again."""

        def do() -> PatternRemoved:
            found, _ = self._accepted.read()
            versions = self._accepted.remove(request.name)
            if not versions:
                names = ", ".join(each.pattern.name for each in found) or "none"
                raise BadRequest(
                    f"no learned pattern is called {request.name!r} (there are: {names})", place="patterns/remove"
                )
            for each in found:
                record = self._evidence.find(each.pattern.phrases[0]) if each.pattern.name == request.name else None
                if record is not None:
                    self._evidence.put(msgspec.structs.replace(record, standing=Standing.REJECTED), self._wall_ns())
            return PatternRemoved(name=request.name, versions=versions)

        removed = await self._alone(do)
        await self._refresh()
        return removed

    async def forget_session(self, session: str) -> None:
        """Take back what this conversation showed; a question asked nowhere else is forgotten."""
        mark = self._evidence.digest(f"session/{session}")
        await self._alone(lambda: self._evidence.forget(mark, self._wall_ns()))

    def stats(self) -> dict[str, float]:
        return {**self.counts, "queued": self._queue.qsize(), **self._evidence.stats()}

    def close(self) -> None:
        self._evidence.close()

    # In a thread

    def _note(self, question: Question, finished: Finished, table: TrustTable, live: LiveValues) -> None:
        if finished.hindsight is not None and finished.hindsight.source == CORRECTION:
            self._corrected(finished.hindsight.exchange, "the next turn corrected the answer")
        text = normalised(question.text)
        if question.fresh or not text or not finished.answer.complete:
            return
        if finished.answer.score is not None and finished.answer.score < WRONG:
            self._corrected_question(text, f"{finished.answer.verifier} found the answer wrong")
            return
        seen = self._occurrence(question, finished, table, live)
        record = learning.noted(self._evidence.find(text), seen)
        self.counts["noted"] += 1
        self._evidence.put(self._risen(record), self._wall_ns(), finished.answer.exchange)

    def _occurrence(self, question: Question, finished: Finished, table: TrustTable, live: LiveValues) -> Occurrence:
        digest, chosen = self._evidence.digest, finished.chosen
        before = [message.content for message in question.messages[:-1] if message.role != "system"]
        text, answer = normalised(question.text), finished.answer
        generated = chosen.generated if chosen is not None and not cascade.cut(chosen) else None
        level, version = (chosen.level.name, generated.version) if chosen and generated else ("", "")
        again = any(normalised(said) == text for said in before)
        day = str(live.now.date())
        return Occurrence(
            question=text,
            answer=answer.text.strip(),
            level=level,
            version=version,
            trusted=bool(level)
            and learning.trusted(
                table, level, version, str(answer.context or UNKNOWN_CONTEXT), self.force.file.learning.trusted_at
            ),
            session=digest(f"session/{answer.session}"),
            occasion=digest(f"occasion/{day}/{answer.session}"),
            ground="" if again else digest("ground/" + "\0".join(before)),
            day=day,
            at_ns=round(live.wall_s * 1e9),
            related=learning.related(text, before, self._evidence.words, len(self._evidence)),
            named=learning.naming(answer.text, spoken_values(live)),
        )

    def _risen(self, record: Record) -> Record:
        """The record as a proposal, or as a pattern, where a rule says so."""
        rules = self.force.file.learning
        if record.standing is Standing.WATCHED and not learning.lacking(record, rules.proposed_after):
            if self.force.patterns.match(record.question) is not None:
                return record
            record = msgspec.structs.replace(record, standing=Standing.PROPOSED)
            self.counts["proposed"] += 1
            self._log.info("pattern.proposed", ident=self._evidence.digest(record.question)[:12])
        rule = rules.accepted_after
        if rule is None or record.standing is not Standing.PROPOSED or learning.lacking(record, rule):
            return record
        try:
            self._accept(record, RULE)
        except BadRequest:  # it stays proposed: a person sees why it cannot be one
            self.counts["not_by_rule"] += 1
            return record
        return msgspec.structs.replace(record, standing=Standing.ACCEPTED)

    def _accept(self, record: Record, by: str) -> PatternDecided:
        name = f"learned-{self._evidence.digest(record.question)[:12]}"
        patterns, file = self.force.patterns, self.force.file
        others = [each for each in patterns.patterns if each.name.startswith("learned-") and each.name != name]
        try:
            pattern = pattern_of(name, record.question, record.answer, patterns)
            Patterns.of(file, [*others, pattern])
        except ValueError as error:
            raise BadRequest(f"{record.question!r} cannot be a pattern: {error}", place="patterns/decide") from error
        now_ns = self._wall_ns()
        accepted = self._accepted.put(pattern, by=by, at_ns=now_ns, grounds=learning.evidence(record))
        self._evidence.put(msgspec.structs.replace(record, standing=Standing.ACCEPTED), now_ns)
        self.counts["accepted"] += 1
        return PatternDecided(
            question=record.question, answer=record.answer, name=pattern.name, version=accepted.version
        )

    def _corrected(self, exchange: str, why: str) -> None:
        record = self._evidence.of_exchange(exchange)
        if record is not None:
            self._corrected_question(record.question, why)

    def _corrected_question(self, question: str, why: str) -> None:
        record = self._evidence.find(question)
        if record is not None:
            self.counts["corrected"] += 1
            self._evidence.put(learning.against(record, why), self._wall_ns())

    # Between the two

    def _later(self, work: Callable[[], None]) -> None:
        try:
            self._queue.put_nowait(work)
        except asyncio.QueueFull:
            self.counts["dropped"] += 1

    async def _alone(self, work: Callable[[], T]) -> T:
        """Do `work` in a thread, to its end even where nobody waits any more: what it uses is closed after it."""
        async with self._turn:
            doing = asyncio.ensure_future(asyncio.to_thread(work))
            try:
                return await asyncio.shield(doing)
            except asyncio.CancelledError:
                await asyncio.wait({doing})
                raise

    async def _refresh(self) -> None:
        try:
            changed = await self._alone(self.force.refresh)
        except Exception as error:  # the next look may succeed
            self.counts["unread"] += 1
            self._log.warning("patterns.unread", error=f"{type(error).__name__}: {error}")
            return
        if not changed:
            return
        if self.force.problem:
            self._log.error("patterns.refused", problem=self.force.problem)
        self._log.info("patterns.in_force", patterns=len(self.force.patterns.patterns))
        self._evidence.limit = self.force.file.learning.kept
        self._changed(self.force.patterns, self.force.problem)


def opened(
    state_dir: Path,
    path: str,
    *,
    log: structlog.stdlib.BoundLogger,
    wall_ns: Callable[[], int],
    changed: Callable[[Patterns, str], None],
) -> Learner:
    """Raises `ConfigError` for patterns that cannot be meant."""
    secret = HostIdentity.load(state_dir).sealing_secret
    accepted = AcceptedPatterns(state_dir / FOLDER, Sealer(secret, "patterns"))
    force = InForce(path, accepted)
    store = _store(state_dir, Sealer(secret, "patterns"), wall_ns, log)
    evidence = Evidence(store, derived_key(secret, "patterns/names"), force.file.learning.kept)
    return Learner(force, accepted, evidence, log=log, wall_ns=wall_ns, changed=changed)


def _store(state_dir: Path, sealer: Sealer, wall_ns: Callable[[], int], log: structlog.stdlib.BoundLogger) -> Store:
    """The database of the evidence; one that cannot be read is moved aside: it counts anew."""
    path = state_dir / FILE
    try:
        return Store.open(path, sealer, TABLES)
    except StoreUnreadable as error:
        stamp = wall_ns()
        for end in ("", "-wal", "-shm"):
            beside = path.with_name(FILE + end)
            if beside.exists():
                beside.rename(path.with_name(f"{FILE}.unreadable-{stamp}{end}"))
        log.exception("patterns.evidence_unreadable", error=str(error), moved_to=f"{FILE}.unreadable-{stamp}")
        return Store.open(path, sealer, TABLES)
