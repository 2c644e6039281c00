"""The sense of context as a process: it classifies what comes in, scores what came of it, and keeps what it learned."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from weakref import WeakValueDictionary

import msgspec

from nodes.context_classifier import config
from nodes.context_classifier.awaited import Awaited, EncoderUnavailable
from nodes.context_classifier.classifier import Classifier
from nodes.context_classifier.snapshot import SnapshotUnreadable
from protocol.errors import BadRequest, SageError, SealError
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
from protocol.messages.model import Embed, Embedded
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
        self._unread = 0
        """Inputs whose vector did not come."""
        self._orders: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """One for each conversation of which somebody holds it, or waits for it."""
        self._classifier = self._restored()
        self.stats_record("context", self._record)
        self.spawn(self._keep_saving())

    async def stop(self) -> None:
        if self._classifier is not None:
            self._write()

    async def metabolic_changed(self, state: MetabolicState) -> None:
        if not state.policy.learn and self._classifier is not None:
            self._save()

    @serve(Classify, concurrency=32, queue=256)
    async def classify(self, request: Classify, call: Call) -> Classified:
        """What kind of moment the input makes. It counts as known from then on.

        Raises `EncoderUnavailable` where its vector does not come from elsewhere in time: then nothing is learned.
        """
        _refuse_senseless(request, numbers=("loudness", "rate"))
        async with self._order(request.session):
            await self._read(request.text)
            classified = self._known().classify(request)
        self.publish(classified, trace=call.trace)
        return classified

    @serve(ExplainContext)
    async def explain(self, request: ExplainContext, _call: Call) -> ContextExplained:
        """What kind of moment an input would make. Nothing is learned from asking."""
        await self._read(request.text)
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

    def _order(self, session: str) -> asyncio.Lock:
        """Inputs of a conversation are looked at one by one, in the order in which they came."""
        return self._orders.setdefault(session, asyncio.Lock())

    async def _read(self, text: str) -> None:
        """Have the vector of a text, where it comes from elsewhere. Raises `EncoderUnavailable`."""
        encoder = self._known().memory.encoder
        if not isinstance(encoder, Awaited):
            return
        try:
            async with asyncio.timeout(self._config.encoder.wait):
                await encoder.read(text, self._embed)
        except (SageError, TimeoutError) as error:
            why = str(error) or f"it did not come within {self._config.encoder.wait:g} s"
            self._unread += 1
            self.ails("encoder", f"no vectors from the encoder {encoder.name}: {why}")
            raise EncoderUnavailable(
                f"there is no vector of the text: {why}",
                place=f"encoder {encoder.name}",
                remedy="see to what it comes from; the encoder tokens needs nobody else",
            ) from error
        self.ails("encoder", "")
        if why := self._known().follow_encoder():
            self.log.warning("memory.begun_anew", reason=why)

    async def _embed(self, request: Embed) -> Embedded:
        """Ask the model worker. While the whole sleeps, an utterance is no reason to load its model."""
        awake = self.metabolic is None or self.metabolic.policy.keep_models
        target = f"model_worker/{self._config.encoder.level}"
        asked = msgspec.structs.replace(request, load=awake)
        embedded: Embedded = await self.call(target, asked, deadline=self._config.encoder.wait)
        return embedded

    def _known(self) -> Classifier:
        assert self._classifier is not None
        return self._classifier

    def _restored(self) -> Classifier:
        """As it was saved. A memory that cannot be read is moved aside, and that is said."""
        if not self._path.exists():
            return Classifier(self._config)
        try:
            found = Classifier.restored(self._config, self._sealer.open(self._path.read_bytes(), PLACE))
        except (SnapshotUnreadable, SealError) as error:
            aside = self._aside("unreadable")
            self.log.exception("memory.unreadable", moved_to=str(aside))
            self.ails("restored", f"began with nothing known: {error}; the file is now {aside.name}")
            return Classifier(self._config)
        if found.left:
            aside = self._aside("left")
            found.changed = True
            self.log.warning("memory.begun_anew", reason=found.left, moved_to=str(aside))
        return found

    def _aside(self, why: str) -> Path:
        """Move the file of the memory out of the way."""
        aside = self._path.with_suffix(f".{why}-{self.clock.wall_ns()}")
        self._path.rename(aside)
        return aside

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
        return {**self._known().stats(), "saved": self._saved, "unsaved": self._unsaved, "unread": self._unread}


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
