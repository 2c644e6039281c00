"""One request on one loaded model and one session: tokenize, match, prefill, decode, remember."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from nodes.model_worker import generation, rendering
from nodes.model_worker.admission import Admission
from nodes.model_worker.confidence import confidence
from nodes.model_worker.errors import ContextTooLong
from nodes.model_worker.generation import Interrupted, Step
from nodes.model_worker.kv.answers import Answers
from nodes.model_worker.kv.codecs.choosing import usual
from nodes.model_worker.kv.exactness import Exactness, exactness
from nodes.model_worker.kv.pruning.recent import SINKS
from nodes.model_worker.kv.sessions import Laid, Session, Sessions
from nodes.model_worker.kv.state import AttentionState
from nodes.model_worker.levels import Level
from nodes.model_worker.likelihood import Judge
from nodes.model_worker.loading import LoadedModel
from nodes.model_worker.rendering import Rendered
from nodes.model_worker.sampling import Sampler, Sampling
from nodes.model_worker.shorten import shorter
from nodes.model_worker.text import Decode, TextStream
from protocol.errors import BadRequest
from protocol.messages.model import ChatMessage, Generate, Generated, Token
from runtime.clock import Clock

ROOM = 256
"""Tokens of an answer that room is made for at once; a longer one makes its room as it goes."""


class Stages:
    """Seconds by stage."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.seconds: dict[str, float] = {}

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        began = self._clock.mono_ns()
        try:
            yield
        finally:
            self.seconds[stage] = (self._clock.mono_ns() - began) / 1e9


@dataclass
class Turn:
    level: Level
    model: LoadedModel
    request: Generate
    interrupted: Interrupted
    stages: Stages
    steps: list[Step] = field(default_factory=list)
    left_out: int = 0
    """Messages left out because all together were too long."""
    fits: int | None = None
    """Tokens that the state may hold, where it is to be pruned to that."""
    judge: Judge = field(default_factory=lambda: Judge(range(0)))

    def answer(self, sessions: Sessions, session: Session, on_token: Callable[[Token], None]) -> Generated:
        """Answer from what is held of the request; the session then holds it, and the answer but its last token."""
        sampler = Sampler(_sampling(self.request))
        with self.stages.measure("tokenize"):
            prompt, laid = self._lay(sessions, session)
        limit = self._limit(prompt)
        state = sessions.state
        room = self._room(prompt)
        if self.fits is None:
            sessions.make_room(room)
        state.reserve(min(room, self.fits or room))
        text = TextStream(self.model.tokenizer.decode, self.request.stop)
        if self.request.judge_input:
            self.judge = Judge(prompt.last_content())
        self._generate(sessions, prompt.ids[laid.reused :], limit, sampler, text, on_token)
        _remember(session.answers, text.text, self.steps, self.model)
        return self._generated(state, prompt, laid, text.text)

    def _lay(self, sessions: Sessions, session: Session) -> tuple[Rendered, Laid]:
        """The prompt, and what of it lies on the desk. Of a conversation that is too long as much as fits, if allowed.

        Raises BadRequest, NoChatTemplate, and ContextTooLong.
        """
        self._check_overflow()
        tries = shorter(self.request.messages) if self.request.overflow == "shorten" else iter([self.request.messages])
        too_long: ContextTooLong | None = None
        for messages in tries:
            try:
                prompt = self._prompt(session, messages)
                laid = sessions.lay(session, prompt.ids, self._wanted(), admit=partial(self._admit, sessions, prompt))
            except ContextTooLong as error:
                too_long = error
            else:
                self.left_out = len(self.request.messages) - len(messages)
                return prompt, laid
        assert too_long is not None, "there is at least one try"
        raise too_long

    def _check_overflow(self) -> None:
        overflow = self.request.overflow
        if overflow not in ("refuse", "shorten", "prune"):
            raise BadRequest(
                f"{overflow!r} is neither 'refuse' nor 'shorten' nor 'prune'", place="model/generate: overflow"
            )
        if overflow == "prune" and self._wanted() is Exactness.COLD:
            raise BadRequest("what is pruned is not cold", place="model/generate: overflow")

    def _limit(self, prompt: Rendered) -> int:
        """Tokens of the answer."""
        return min(self.request.max_new_tokens or self.level.max_new_tokens, self.model.context - len(prompt.ids))

    def _room(self, prompt: Rendered) -> int:
        return len(prompt.ids) + min(self._limit(prompt), ROOM)

    def _wanted(self) -> Exactness:
        if not self.request.exactness:
            return usual(self.level.codec)
        try:
            return max(exactness(self.request.exactness), Exactness.LOSSY)
        except ValueError as error:
            raise BadRequest(str(error), place="model/generate: exactness") from error

    def _prompt(self, session: Session, messages: Sequence[ChatMessage]) -> Rendered:
        """The ids to go on from. Raises BadRequest, NoChatTemplate or ContextTooLong."""
        if bool(self.request.messages) == bool(self.request.ids):
            raise BadRequest("a request needs either messages or ids", place="model/generate")
        if self.request.max_new_tokens < 0:
            raise BadRequest(f"max_new_tokens {self.request.max_new_tokens} is not 0 or more", place="model/generate")
        if self.request.ids:
            if not all(0 <= token < self.model.vocab for token in self.request.ids):
                raise BadRequest(f"ids must lie in 0..{self.model.vocab - 1}", place="model/generate: ids")
            prompt = Rendered(list(self.request.ids), [], [])
        else:
            tokens = self.model.tokenizer.with_tools(self.request.tools)
            prompt = rendering.render(messages, tokens, session.answers, session.ids)
        if not prompt.ids:
            raise BadRequest("the messages render to no token at all", place="model/generate")
        self._check_length(len(prompt.ids))
        return prompt

    def _check_length(self, tokens: int) -> None:
        limit = self.model.context
        if tokens >= limit:
            raise ContextTooLong(
                f"{tokens} tokens leave no room for an answer: the limit is {limit}, question and answer together",
                place=f"level {self.level.name}",
                remedy="send a shorter conversation, or raise `context` in the levels file as far as the model allows",
                detail={"limit": limit, "tokens": tokens},
            )

    def _admit(self, sessions: Sessions, prompt: Rendered, held: int) -> int:
        """The most tokens to lay out: all, or as many as fit where it may be pruned to that. Raises ContextTooLong."""
        tokens = self._room(prompt)
        admission = Admission(self.level, self.model, sessions, tokens, held)
        if admission.make_fit():
            return tokens
        answer, longest = tokens - len(prompt.ids), admission.longest()
        if self.request.overflow != "prune" or longest < max(answer, self.level.prefill_chunk) + SINKS:
            raise admission.refusal(answer)
        self.fits = longest
        return longest

    def _generate(
        self,
        sessions: Sessions,
        new: list[int],
        limit: int,
        sampler: Sampler,
        text: TextStream,
        on_token: Callable[[Token], None],
    ) -> None:
        """Prefill the new ids and decode into `steps`; there are none if interrupted before the first token."""
        state, chunk = sessions.state, self.level.prefill_chunk
        with self.stages.measure("prefill"):
            logits = generation.prefill(
                self.model.model,
                state,
                new,
                chunk=chunk,
                interrupted=self.interrupted,
                room=self.fits,
                judge=self.judge,
            )
        if logits is not None:
            sessions.costs.computed(len(new), self.stages.seconds["prefill"])
        with self.stages.measure("decode"):
            if logits is None:
                return
            for step in generation.decode(
                self.model.model,
                state,
                logits,
                sampler=sampler,
                text=text,
                stop_ids=self.model.stop_ids,
                limit=limit,
                interrupted=self.interrupted,
                room=self.fits,
            ):
                on_token(Token(text=step.text, id=step.id, index=len(self.steps), logprob=step.logprob))
                self.steps.append(step)

    def _generated(self, state: AttentionState, prompt: Rendered, laid: Laid, text: str) -> Generated:
        self.judge.settle(self.model.model)
        generated = len(self.steps)
        return Generated(
            text=text,
            ids=[step.id for step in self.steps],
            stop_reason=self.steps[-1].stop if self.steps else self.interrupted(),
            tokens_reused=laid.reused,
            tokens_computed=state.position - laid.reused - max(0, generated - 1),
            tokens_generated=generated,
            confidence=confidence(step.logprob for step in self.steps),
            level=self.level.name,
            model=self.level.model,
            version=self.model.version,
            seconds=dict(self.stages.seconds),
            diverged_at=laid.divergence.index if laid.divergence else None,
            diverged_message=self._message_at(prompt, laid.divergence.index) if laid.divergence else None,
            tokens_restored=laid.restored,
            exactness=(Exactness.PRUNED if state.pruned else laid.exactness).label,
            missed=laid.missed,
            messages_left_out=self.left_out,
            tokens_pruned=state.pruned,
            spans_pruned=state.gone,
            input_nll=self.judge.mean,
            input_judged=len(self.judge.nats),
            input_excess=self.judge.excess,
            reply_nll=-sum(step.logprob for step in self.steps) / generated if generated else None,
            reply_peak=-min(step.logprob for step in self.steps) if generated else None,
            least_margin=min((step.margin for step in self.steps), default=None),
        )

    def _message_at(self, prompt: Rendered, index: int) -> int | None:
        """The message of the request, which is no longer the one of the prompt where some were left out."""
        return None if self.left_out else prompt.message_at(index)


def _sampling(request: Generate) -> Sampling:
    try:
        return Sampling(
            temperature=request.temperature,
            top_p=request.top_p,
            top_k=request.top_k,
            seed=secrets.randbits(63) if request.seed is None else request.seed,
        )
    except ValueError as error:
        raise BadRequest(str(error), place="model/generate") from error


def _remember(answers: Answers, text: str, steps: list[Step], model: LoadedModel) -> None:
    ids = [step.id for step in steps if step.id not in model.stop_ids]
    answers.remember(text, ids_that_say(text, ids, model.tokenizer.decode))


def ids_that_say(text: str, ids: list[int], decode: Decode) -> list[int]:
    """The beginning of `ids` that reads exactly `text`; [] if none does, as when a stop text began inside a token."""
    for end in range(len(ids), 0, -1):
        said = decode(ids[:end])
        if said == text:
            return ids[:end]
        if len(said) < len(text):
            break
    return []
