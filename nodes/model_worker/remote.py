"""A level whose answers come from a server with OpenAI's interface: vLLM, SGLang, llama.cpp and others. No torch.

The full conversation is sent every time. What of it the server need not compute again is the server's own business; it
is told as `tokens_reused` where the server tells it (`usage.prompt_tokens_details.cached_tokens`).

    - name: specialized
      backend: openai
      url: http://127.0.0.1:8000/v1
      model: Qwen/Qwen2.5-3B-Instruct     # as the server calls it
      api_key: SAGE_SERVER_KEY            # the environment variable that holds the key, where the server wants one
      context: 8192
      max_new_tokens: 512
"""

import asyncio
import contextlib
import json
import math
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2
import msgspec

from nodes.model_worker.confidence import confidence
from nodes.model_worker.errors import ModelChanged, ModelError, ModelMissing, ModelUnfit, ModelUnloaded, UnknownSession
from nodes.model_worker.learned import Learned
from nodes.model_worker.levels import Level
from protocol.errors import BadRequest
from protocol.messages.model import (
    Embed,
    Embedded,
    Generate,
    Generated,
    MarkState,
    ModelInfo,
    Solution,
    StateForgotten,
    StateMarked,
    StateResumed,
    StateSaved,
    Teach,
    Token,
)
from runtime.clock import Clock

if TYPE_CHECKING:
    from nodes.model_worker.teach import Lecture

CONNECT_S = 5.0
EMBED_S = 30.0
LOOK_S = 0.05
"""How often cancel and deadline are looked at."""
NO_STATE = "attention state is kept by the server, if at all"


class Usage(msgspec.Struct, kw_only=True):
    """What a server says of the tokens."""

    prompt: int = 0
    cached: int = 0
    completion: int = 0


@dataclass(frozen=True)
class Fetched:
    """Vectors as a server gave them, where an engine here would read on."""

    embedded: Embedded
    over: bool = True


class RemoteEngine:
    """What a worker asks of an engine, answered by a server."""

    def __init__(self, level: Level, *, clock: Clock | None = None) -> None:
        self.level = level
        self.problem = ""
        self.state_problem = ""
        self._clock = clock or Clock()
        self._info = ModelInfo(level=level.name, model=level.model, version="", loaded=False)

    def load(self) -> None:
        """Ask whether the server is there and has the model. Raises ModelMissing or ModelUnfit."""
        began = self._clock.mono_ns()
        try:
            known = asyncio.run(self._models())
            if known and self.level.model not in known:
                raise ModelMissing(
                    f"the server has {', '.join(known[:5])}, not {self.level.model!r}",
                    place=self.level.url,
                    remedy="correct `model` in the levels file, or have the server load it",
                )
        except ModelError as error:
            self.problem = str(error)
            raise
        self.problem = ""
        self._info = ModelInfo(
            level=self.level.name,
            model=self.level.model,
            version=self.level.model,
            loaded=True,
            device=self.level.url,
            load_s=(self._clock.mono_ns() - began) / 1e9,
            context_limit=self.level.context,
        )

    def unload(self) -> None:
        """Nothing to free: the model is the server's."""
        self._info = msgspec.structs.replace(self._info, loaded=False)

    def close(self) -> None:
        """Nothing to write down."""

    def adopt(self, learned: Learned | None) -> bool:
        """Raises ModelUnfit: a server is not given weights."""
        if learned is None:
            return False
        raise ModelUnfit(
            "a server's model takes no learned weights",
            place=f"level {self.level.name}",
            remedy="let dreams teach only levels with `backend: transformers`",
        )

    def info(self) -> ModelInfo:
        return self._info

    def stats(self) -> dict[str, float]:
        return {}

    def disk_stats(self) -> dict[str, float]:
        return {}

    def settle(self, interrupted: Callable[[], str]) -> bool:
        """Nothing is left to do in idle time."""
        return False

    def matters(self, session: str, salience: float) -> bool:
        """The server decides for itself what it keeps."""
        return False

    def teach(self, request: Teach) -> "Lecture":
        """Raises BadRequest: a dream asks the server itself."""
        raise BadRequest(
            "a server's model is not asked through its worker",
            place=f"level {self.level.name}",
            remedy="set `teach.by: endpoint` in the configuration of dreams",
        )

    def go_on_teaching(self, lecture: "Lecture", interrupted: Callable[[], str]) -> list[Solution]:
        raise AssertionError("no lecture was ever begun here")

    def embed(self, request: Embed) -> Fetched:
        """As `Engine.embed`, by the server's own way of pooling.

        The version is what the server calls its model: whether it still means the same weights nobody can tell.
        """
        if not (self._info.loaded or request.load):
            raise ModelUnloaded(
                "the server was not looked for yet, and the request does not want that",
                place=f"level {self.level.name}",
                remedy="ask with `load`",
            )
        if not self._info.loaded:
            self.load()
        if request.version not in ("", self.level.model):
            raise ModelChanged(
                f"version {request.version} is not what answers: {self.level.model} does",
                place=f"level {self.level.name}",
                remedy="ask what answers, and begin again",
            )
        cpu_began, began = time.process_time(), self._clock.mono_ns()
        given = asyncio.run(self._vectors(request.texts))
        seconds, cpu_s = (self._clock.mono_ns() - began) / 1e9, time.process_time() - cpu_began
        return Fetched(msgspec.structs.replace(given, seconds=seconds, cpu_s=cpu_s))

    def save_state(self) -> StateSaved:
        return StateSaved(sessions=0, problem="")

    def mark_state(self, request: MarkState) -> StateMarked:
        raise UnknownSession(NO_STATE, place=f"level {self.level.name}", remedy="send the conversation")

    def forget_state(self, name: str) -> StateForgotten:
        """The server keeps what it keeps; nothing lies here."""
        return StateForgotten(session=name, tokens=0, bytes=0)

    def resume_state(self, name: str) -> StateResumed:
        raise UnknownSession(NO_STATE, place=f"level {self.level.name}", remedy="send the conversation")

    def generate(
        self,
        request: Generate,
        *,
        on_token: Callable[[Token], None] = lambda _: None,
        cancelled: Callable[[], bool] = lambda: False,
        deadline: float | None = None,
    ) -> Generated:
        """As `Engine.generate`. The ids of the answer are not known, and each token's id is -1.

        Raises BadRequest for what this backend cannot promise, and for what the server refuses; ModelMissing where no
        server answers.
        """
        self._check(request)
        if not self._info.loaded:
            self.load()

        def interrupted() -> str:
            if cancelled():
                return "cancelled"
            return "deadline" if deadline is not None and self._clock.mono_ns() >= deadline * 1e9 else ""

        answer = Answer(self.level, on_token)
        cpu_began, began = time.process_time(), self._clock.mono_ns()
        stopped = asyncio.run(self._stream(request, answer, interrupted))
        seconds = {"server": (self._clock.mono_ns() - began) / 1e9}
        return answer.generated(stopped, seconds, time.process_time() - cpu_began)

    def _check(self, request: Generate) -> None:
        place = "model/generate"
        if bool(request.messages) == bool(request.ids):
            raise BadRequest("a request needs either messages or ids", place=place)
        if request.exactness == "cold":
            raise BadRequest(
                "a server does not promise the class 'cold'",
                place=f"{place}: exactness",
                remedy="ask a level with `backend: transformers`",
            )
        if request.overflow != "refuse":
            raise BadRequest(
                "only the server knows how long a conversation is", place=f"{place}: overflow", remedy="leave it out"
            )

    async def _models(self) -> list[str]:
        """The models that the server names."""
        async with self._client() as client:
            try:
                reply = await client.get("models", timeout=CONNECT_S)
            except httpx2.HTTPError as error:
                raise self._unreachable(error) from error
            self._check_status(reply.status_code, reply.text)
            try:
                return [str(each["id"]) for each in reply.json()["data"]]
            except (ValueError, KeyError, TypeError) as error:
                raise ModelUnfit(
                    "what answers there does not speak OpenAI's interface",
                    place=self.level.url,
                    remedy="`url` ends with /v1 for most servers",
                ) from error

    async def _vectors(self, texts: list[str]) -> Embedded:
        import numpy as np

        body = {"model": self.level.model, "input": texts, "encoding_format": "float"}
        async with self._client() as client:
            try:
                reply = await client.post("embeddings", json=body, timeout=EMBED_S)
            except httpx2.HTTPError as error:
                raise self._unreachable(error) from error
        self._check_status(reply.status_code, reply.text)
        try:
            rows = sorted(reply.json()["data"], key=lambda row: row["index"])
            vectors = np.array([row["embedding"] for row in rows], dtype="<f4")
            given, dimensions = vectors.shape
        except (ValueError, KeyError, TypeError) as error:
            raise self._no_vectors("what it sends is none") from error
        if given != len(texts):
            raise self._no_vectors(f"of {len(texts)} texts it read {given}")
        units = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return Embedded(vectors=units.tobytes(), dimensions=dimensions, tokens=[], version=self.level.model)

    def _no_vectors(self, why: str) -> ModelUnfit:
        return ModelUnfit(
            f"the server gives no vectors: {why}",
            place=self.level.url,
            remedy="name a level whose server answers /v1/embeddings, or one with `backend: transformers`",
        )

    async def _stream(self, request: Generate, answer: "Answer", interrupted: Callable[[], str]) -> str:
        """Read the answer; why it ended before the server did, "" if it did not."""
        reading = asyncio.ensure_future(self._read(request, answer))
        try:
            while not reading.done():
                if why := interrupted():
                    return why
                await asyncio.wait({reading}, timeout=LOOK_S)
            await reading
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await reading
        return ""

    async def _read(self, request: Generate, answer: "Answer") -> None:
        path, body = _asked(self.level, request)
        async with self._client() as client:
            try:
                async with client.stream("POST", path, json=body) as reply:
                    if reply.status_code != httpx2.codes.OK:
                        await reply.aread()
                    self._check_status(reply.status_code, "" if reply.is_success else reply.text)
                    async for event in _events(reply.aiter_lines()):
                        answer.take(event)
            except httpx2.HTTPError as error:
                raise self._unreachable(error) from error

    def _client(self) -> httpx2.AsyncClient:
        key = os.environ.get(self.level.api_key, "") if self.level.api_key else ""
        return httpx2.AsyncClient(
            base_url=self.level.url.rstrip("/") + "/",
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx2.Timeout(None, connect=CONNECT_S),
            trust_env=False,
        )

    def _check_status(self, status: int, text: str) -> None:
        if status < 400:
            return
        said = _message(text) or f"HTTP status {status}"
        if status in (401, 403):
            remedy = "put the key into the environment variable that `api_key` names in the levels file"
            raise ModelUnfit(f"the server refuses us: {said}", place=self.level.url, remedy=remedy)
        if status == 404:
            raise ModelMissing(said, place=self.level.url, remedy="correct `url` and `model` in the levels file")
        if status < 500:
            raise BadRequest(f"the server refuses the request: {said}", place=self.level.url)
        raise ModelError(f"the server failed: {said}", place=self.level.url, remedy="its own log says why")

    def _unreachable(self, error: Exception) -> ModelMissing:
        return ModelMissing(
            f"no answer from the server: {error or type(error).__name__}",
            place=self.level.url,
            remedy="start the server, or correct `url` in the levels file",
        )


class Answer:
    """Grows by the events of a stream."""

    def __init__(self, level: Level, on_token: Callable[[Token], None]) -> None:
        self._level = level
        self._on_token = on_token
        self._texts: list[str] = []
        self._logprobs: list[float] = []
        self._reason = ""
        self._served = ""
        self._usage = Usage()

    def take(self, event: dict[str, Any]) -> None:
        """One chunk of a chat completion or a completion. Raises ModelError for an error that the server streams."""
        if "error" in event:
            raise ModelError(f"the server failed: {_message(json.dumps(event))}", place=self._level.url)
        self._served = event.get("system_fingerprint") or self._served
        if usage := event.get("usage"):
            details = usage.get("prompt_tokens_details") or {}
            self._usage = Usage(
                prompt=usage.get("prompt_tokens") or 0,
                cached=details.get("cached_tokens") or 0,
                completion=usage.get("completion_tokens") or 0,
            )
        for choice in (event.get("choices") or [])[:1]:
            text = choice.get("text") or (choice.get("delta") or {}).get("content") or ""
            found = _logprobs(choice)
            self._logprobs += found
            if text:
                logprob = found[-1] if found else math.nan
                self._on_token(Token(text=text, id=-1, index=len(self._texts), logprob=logprob))
                self._texts.append(text)
            self._reason = choice.get("finish_reason") or self._reason

    def generated(self, stopped: str, seconds: dict[str, float], cpu_s: float) -> Generated:
        """`stopped`: why it ended before the server did."""
        usage = self._usage
        if not (stopped or self._reason):
            raise ModelError("the server ended the answer without saying why", place=self._level.url)
        reason = "length" if self._reason == "length" else "stop"
        return Generated(
            text="".join(self._texts),
            ids=[],
            stop_reason=stopped or reason,
            tokens_reused=usage.cached,
            tokens_computed=usage.prompt - usage.cached,
            tokens_generated=usage.completion or len(self._texts),
            confidence=confidence(self._logprobs),
            level=self._level.name,
            model=self._level.model,
            version="@".join(filter(None, (self._level.model, self._served))),
            seconds=seconds,
            cpu_s=cpu_s,
            exactness="",
            reply_nll=-sum(self._logprobs) / len(self._logprobs) if self._logprobs else None,
            reply_peak=-min(self._logprobs) if self._logprobs else None,
        )


def _asked(level: Level, request: Generate) -> tuple[str, dict[str, Any]]:
    """(path, body) of the HTTP request."""
    body: dict[str, Any] = {
        "model": level.model,
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": request.max_new_tokens or level.max_new_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
    }
    if request.seed is not None:
        body["seed"] = request.seed
    if request.stop:
        body["stop"] = request.stop
    if request.top_k:
        body["top_k"] = request.top_k  # not OpenAI's own; vLLM, SGLang and llama.cpp know it
    if request.ids:
        return "completions", {**body, "prompt": request.ids, "logprobs": 1}
    if request.tools:
        body["tools"] = request.tools
    messages = [{"role": message.role, "content": message.content} for message in request.messages]
    return "chat/completions", {**body, "messages": messages, "logprobs": True}


async def _events(lines: AsyncIterator[str]) -> AsyncIterator[dict[str, Any]]:
    """The JSON objects of a stream of server-sent events."""
    async for line in lines:
        kind, _, data = line.partition(":")
        if kind != "data" or data.strip() == "[DONE]":
            continue
        try:
            event = json.loads(data)
        except ValueError as error:
            raise ModelError(f"the server sent what is no JSON: {data[:100]!r}") from error
        if isinstance(event, dict):
            yield event


def _logprobs(choice: dict[str, Any]) -> list[float]:
    """Of the tokens of a chunk, in the shape of chat completions or of completions; [] where the server gives none."""
    given = choice.get("logprobs") or {}
    if content := given.get("content"):
        return [float(each["logprob"]) for each in content if each.get("logprob") is not None]
    return [float(each) for each in given.get("token_logprobs") or [] if each is not None]


def _message(text: str) -> str:
    """What an error of a server says, in the shapes that there are."""
    try:
        found = json.loads(text)
    except ValueError:
        return text[:300].strip()
    error = found.get("error", found) if isinstance(found, dict) else found
    said = error.get("message", error) if isinstance(error, dict) else error
    return str(said)[:300]
