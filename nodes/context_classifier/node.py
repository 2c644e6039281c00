"""The sense of context as a process: it classifies what comes in, scores what came of it, and keeps what it learned."""

from __future__ import annotations

import asyncio
import math

import msgspec

from nodes.context_classifier import config
from nodes.context_classifier.classifier import Classifier
from nodes.context_classifier.snapshot import SnapshotUnreadable
from protocol.errors import BadRequest, SealError
from protocol.messages.context import (
    Classified,
    Classify,
    ContextExplained,
    ContextForgotten,
    ConversationScored,
    ExchangeScored,
    ExplainContext,
    ForgetContext,
    Reward,
    ScoreConversation,
    ScoreExchange,
)
from protocol.messages.metabolism import MetabolicState
from protocol.services import SERVICES
from runtime.node import Call, Node, run, serve
from runtime.paths import write_atomically
from runtime.sealing import Sealer

MEMORY_FILE = "context.memory"
PLACE = b"context/memory"


class ContextClassifier(Node):
    """Tells stable, moving, unstable and novel apart, and says how much it matters."""

    class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        config: str = "configs/context.yaml"
        """A relative path may lie below the install."""

    _classifier: Classifier | None = None

    async def start(self) -> None:
        self._config = config.load(self.params.config)
        self._sealer = Sealer.load(self.state_dir, "context")
        self._path = self.state_dir / MEMORY_FILE
        self._saved = self._unsaved = 0
        """What is wrong with the memory, by when: `restored`, `saved`."""
        self._classifier = self._restored()
        self.stats_record("context", self._record)
        self.spawn(self._keep_saving())

    async def stop(self) -> None:
        if self._classifier is not None:
            self._write()

    async def metabolic_changed(self, state: MetabolicState) -> None:
        if not state.policy.learn and self._classifier is not None:
            self._save()

    @serve(Classify, queue=256)
    async def classify(self, request: Classify, call: Call) -> Classified:
        """What kind of moment the input makes. It counts as known from then on."""
        _refuse_senseless(request, numbers=("loudness", "rate"))
        classified = self._known().classify(request)
        self.publish(classified, trace=call.trace)
        return classified

    @serve(ExplainContext)
    async def explain(self, request: ExplainContext, _call: Call) -> ContextExplained:
        """What kind of moment an input would make. Nothing is learned from asking."""
        return self._known().explain(request)

    @serve(ScoreExchange, queue=256)
    async def score(self, request: ScoreExchange, call: Call) -> ExchangeScored:
        """How much a finished exchange matters. Asked twice, answered with what stands."""
        _refuse_senseless(
            request,
            shares=("confidence", "score", "disagreement"),
            numbers=("input_nll", "reply_nll", "input_excess", "reply_peak"),
            counts=("failures", "levels_tried"),
        )
        scored, new = self._known().score(request)
        if new:
            self.publish(scored, trace=call.trace)
        return scored

    @serve(Reward, queue=256)
    async def reward(self, request: Reward, call: Call) -> ExchangeScored:
        """Score an exchange anew by how it turned out, and say so. Told the same twice, nothing changes."""
        _refuse_senseless(request, shares=("value",))
        scored, changed = self._known().reward(request)
        if changed:
            self.publish(scored, trace=call.trace)
        return scored

    @serve(ScoreConversation, queue=256)
    async def conversation(self, request: ScoreConversation, _call: Call) -> ConversationScored:
        """What a conversation is worth by its last exchanges."""
        return self._known().conversation(request)

    @serve(ForgetContext)
    async def forget(self, request: ForgetContext, _call: Call) -> ContextForgotten:
        """Forget where a conversation is."""
        return ContextForgotten(session=request.session, known=self._known().forget(request.session))

    def _known(self) -> Classifier:
        assert self._classifier is not None
        return self._classifier

    def _restored(self) -> Classifier:
        """As it was saved. A memory that cannot be read is moved aside, and that is said."""
        if not self._path.exists():
            return Classifier(self._config)
        try:
            return Classifier.restored(self._config, self._sealer.open(self._path.read_bytes(), PLACE))
        except (SnapshotUnreadable, SealError) as error:
            aside = self._path.with_suffix(f".unreadable-{self.clock.wall_ns()}")
            self._path.rename(aside)
            self.log.exception("memory.unreadable", moved_to=str(aside))
            self.ails("restored", f"began with nothing known: {error}; the file is now {aside.name}")
            return Classifier(self._config)

    async def _keep_saving(self) -> None:
        while True:
            await asyncio.sleep(self._config.save_every)
            self._save()

    def _save(self) -> None:
        """What cannot be saved now is said and kept for the next time: sleep does not wait for a disk."""
        try:
            self._write()
        except OSError as error:
            self._unsaved += 1
            self.log.warning("memory.unsaved", error=str(error))
            self.ails("saved", f"what it learned cannot be saved: {error}")
        else:
            self.ails("saved", "")

    def _write(self) -> None:
        """Write down what was learned, if anything was. Raises `OSError`; then it remains to be written."""
        known = self._known()
        if not known.changed:
            return
        sealed = self._sealer.seal(known.save(), PLACE)
        try:
            write_atomically(self._path, sealed)
        except OSError:
            known.changed = True
            raise
        self._saved += 1

    def _record(self) -> dict[str, float]:
        return {**self._known().stats(), "saved": self._saved, "unsaved": self._unsaved}


def _refuse_senseless(
    request: msgspec.Struct,
    shares: tuple[str, ...] = (),
    numbers: tuple[str, ...] = (),
    counts: tuple[str, ...] = (),
) -> None:
    """What is ranked must be a number, or one that is no number would stand between all others."""
    place = SERVICES.by_request(type(request)).name
    for name in (*shares, *numbers):
        value = getattr(request, name)
        if value is not None and not math.isfinite(value):
            raise BadRequest(f"{value} is no number", place=f"{place}: {name}")
        if value is not None and name in shares and not 0 <= value <= 1:
            raise BadRequest(f"lies between 0 and 1, not at {value}", place=f"{place}: {name}")
    for name in counts:
        if getattr(request, name) < 0:
            raise BadRequest(f"{getattr(request, name)} is no count", place=f"{place}: {name}")


if __name__ == "__main__":
    run(ContextClassifier)
