"""Stand-ins for the other nodes: a worker that knows one answer, ears, a voice, and a recorder of what is delivered."""

from __future__ import annotations

import asyncio
import json
import sys

import msgspec

from protocol.messages.audio import Hear, Heard, Utterance
from protocol.messages.context import ExchangeScored, Reward, ScoreExchange, Snarc
from protocol.messages.dream import Keep, Kept, Revise, Revised
from protocol.messages.metabolism import Metabolic, MetabolicState, Rouse, Settle, Settled
from protocol.messages.model import Generate, Generated, MarkState, StateMarked, Token
from protocol.messages.speech import Said, Say
from protocol.messages.trust import Judge, Outcome, TrustRecorded
from runtime.node import Call, Node, run, serve


class Worker(Node):
    """Answers with its text, in one token a word."""

    class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        text: str = "it is four ."
        confidence: float = 0.95
        loads: bool = True
        """Otherwise it never becomes ready."""
        adapter: str = ""
        """Digest of the learned weights that it says it answers with."""

    async def start(self) -> None:
        if not self.params.loads:
            await asyncio.Event().wait()

    @serve(Generate)
    async def generate(self, request: Generate, call: Call) -> Generated:
        words = [f" {word}" for word in self.params.text.split()]
        for index, word in enumerate(words):
            await call.part(Token(text=word, id=index, index=index, logprob=-0.05))
        return Generated(
            text="".join(words),
            ids=list(range(len(words))),
            stop_reason="stop",
            tokens_reused=0,
            tokens_computed=len(request.messages),
            tokens_generated=len(words),
            confidence=self.params.confidence,
            level=self.name.partition("/")[2],
            model="stand-in",
            version="v1",
            adapter=self.params.adapter,
            seconds={"decode": 0.0},
            cpu_s=0.25,
        )

    @serve(MarkState)
    async def mark(self, request: MarkState, _call: Call) -> StateMarked:
        with open(self.state_dir / "marked.jsonl", "a") as file:
            file.write(json.dumps({"worker": self.name, **msgspec.to_builtins(request)}) + "\n")
        return StateMarked(name=f"{request.session}#{request.label}", tokens=1)


class Recorder(Node):
    """Takes every delivery, remembers it by its key, and writes each one down as it comes."""

    async def start(self) -> None:
        self._seen: set[str] = set()

    def _note(self, kind: str, key: str) -> None:
        with open(self.state_dir / f"{self.name}.jsonl", "a") as file:
            file.write(json.dumps({"kind": kind, "key": key, "repeated": f"{kind}/{key}" in self._seen}) + "\n")
        self._seen.add(f"{kind}/{key}")

    @serve(Outcome)
    async def record(self, outcome: Outcome, _call: Call) -> TrustRecorded:
        self._note("outcome", f"{outcome.exchange}/{outcome.level}")
        return TrustRecorded(exchange=outcome.exchange, level=outcome.level, entry=len(self._seen))

    @serve(Judge)
    async def judge(self, judge: Judge, _call: Call) -> TrustRecorded:
        self._note("judge", f"{judge.exchange}={judge.score}@{judge.source}")
        return TrustRecorded(exchange=judge.exchange, level=judge.level, entry=len(self._seen))

    @serve(ScoreExchange)
    async def score(self, request: ScoreExchange, _call: Call) -> ExchangeScored:
        self._note("score", request.exchange)
        return ExchangeScored(exchange=request.exchange, snarc=Snarc(salience=0.8))

    @serve(Keep)
    async def keep(self, keep: Keep, _call: Call) -> Kept:
        self._note("keep", f"{keep.exchange}@{keep.snarc.salience}")
        return Kept(exchange=keep.exchange, kept=True)

    @serve(Reward)
    async def reward(self, reward: Reward, _call: Call) -> ExchangeScored:
        self._note("reward", f"{reward.exchange}={reward.value}@{reward.source}")
        return ExchangeScored(exchange=reward.exchange, snarc=Snarc(), known=False)

    @serve(Revise)
    async def revise(self, revise: Revise, _call: Call) -> Revised:
        self._note("revise", f"{revise.exchange}={revise.score}@{revise.source}")
        return Revised(exchange=revise.exchange, revised=True)

    @serve(Settle)
    async def settle(self, claim: Settle, _call: Call) -> Settled:
        self._note("settle", claim.ident)
        return Settled(ident=claim.ident, atp=1.0, remaining=50.0)

    @serve(Rouse)
    async def rouse(self, request: Rouse, _call: Call) -> MetabolicState:
        return MetabolicState(state=Metabolic.WAKE, number=1, reason=request.reason, since_ns=0)


class Ears(Node):
    """Understands the same words in every file."""

    @serve(Hear)
    async def hear(self, request: Hear, call: Call) -> Heard:
        utterance = Utterance(
            text="what is two plus two",
            source="wav",
            utterance=1,
            confidence=1.0,
            accepted_by="free",
            begin_s=0.0,
            end_s=1.0,
            speech_end_ns=self.clock.mono_ns(),
            session=request.session,
        )
        await call.part(utterance)
        if request.publish:
            self.publish(utterance, trace=call.trace)
        return Heard(utterances=1, audio_s=1.0, seconds=0.1)


class Voice(Node):
    """Says that it spoke."""

    @serve(Say)
    async def say(self, request: Say, _call: Call) -> Said:
        return Said(path=request.path or "own.wav", audio_s=1.5, seconds=0.01, first_sound_s=0.001)


KINDS = {"worker": Worker, "recorder": Recorder, "ears": Ears, "voice": Voice}

if __name__ == "__main__":
    run(KINDS[sys.argv[1]])
