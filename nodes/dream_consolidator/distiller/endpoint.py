"""A teacher on a server with OpenAI's interface, as a level with `backend: openai` names it. Imports torch.

Answers are chat completions at temperature 0. What it would say at each token of an answer that is given is told only
by servers with `prompt_logprobs` (vLLM), and means something to the student only where the server reads the student's
ids as the same text. Where either is not so, only the lesson's words can be learned.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Any

import httpx2
import numpy as np

from nodes.dream_consolidator.distiller.called import attended
from nodes.dream_consolidator.distiller.workbench import Away, Workbench
from nodes.model_worker.loading import LoadedModel
from nodes.model_worker.remote import CONNECT_S
from nodes.model_worker.teach import end_of_turn
from protocol.errors import BadRequest
from protocol.messages.model import Exercise, Solution

MOST_LOGPROBS = 20
"""What a server gives at most for each token, unless it was started otherwise."""
_TOGETHER = 8
"""Requests under way at once: the server puts them into batches."""
_ASK_S = 300.0
_BUSY = {408, 425, 429}
"""Statuses of a server that is there, but not now."""


class Endpoint:
    """What it spends is not known: the dream does not pay for it."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._level = bench.job.teacher

    def version(self) -> str:
        """What the server calls its model: whether it still means the same weights nobody can tell."""

        async def named() -> str:
            async with self._client() as client:
                await self._asked(client, "GET", "models")
            return f"{self._level.model} at {self._level.url}"

        return attended(named(), self._bench.check)

    def solve(
        self, exercises: Sequence[Exercise], version: str, *, top_k: int, limit: int, take: Callable[[Solution], None]
    ) -> None:
        """Raises `Away`, and BadRequest for what the server will never answer."""
        # Loaded only where its ids are needed; the dream trains it next.
        student = self._bench.model(self._bench.job.student) if any(each.answer for each in exercises) else None
        turn = asyncio.Semaphore(_TOGETHER)

        async def one(client: httpx2.AsyncClient, index: int, exercise: Exercise) -> None:
            async with turn:
                if exercise.answer:
                    assert student is not None
                    take(await self._looked_at(client, student, index, exercise, min(top_k, MOST_LOGPROBS)))
                else:
                    take(await self._answered(client, index, exercise, limit))

        async def all_() -> None:
            async with self._client() as client:
                tasks = [asyncio.ensure_future(one(client, *each)) for each in enumerate(exercises)]
                try:
                    await asyncio.gather(*tasks)
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)

        attended(all_(), self._bench.check)

    async def _answered(self, client: httpx2.AsyncClient, index: int, exercise: Exercise, limit: int) -> Solution:
        messages = [{"role": each.role, "content": each.content} for each in exercise.messages]
        body = {"messages": messages, "temperature": 0, "max_tokens": limit}
        choice = await self._choice(client, "chat/completions", body)
        text = (choice.get("message") or {}).get("content") or ""
        return Solution(index=index, text=text, finished=choice.get("finish_reason") == "stop")

    async def _looked_at(
        self, client: httpx2.AsyncClient, student: LoadedModel, index: int, exercise: Exercise, k: int
    ) -> Solution:
        """What the server would say at each token of the answer; without it where it does not say, or not of these."""
        prompt = student.tokenizer.encode(student.tokenizer.render(exercise.messages)).ids
        answer = [*student.tokenizer.encode(exercise.answer).ids, end_of_turn(student)]
        body = {"prompt": prompt + answer, "temperature": 0, "max_tokens": 1, "prompt_logprobs": k}
        choice = await self._choice(client, "completions", body)
        rows = aligned(choice.get("prompt_logprobs"), prompt + answer, len(answer), student, k)
        if rows is None:
            return Solution(index=index)
        return Solution(
            index=index,
            prompt_ids=prompt,
            answer_ids=answer,
            text=exercise.answer,
            finished=True,
            top_k=len(rows[0]),
            top_ids=np.array([[token for token, _ in row] for row in rows], dtype="<i4").tobytes(),
            top_logprobs=np.array([[logprob for _, logprob in row] for row in rows], dtype="<f4").tobytes(),
        )

    async def _choice(self, client: httpx2.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
        reply = await self._asked(client, "POST", path, {"model": self._level.model, **body})
        try:
            choice = reply["choices"][0]
        except (KeyError, IndexError, TypeError) as error:
            raise self._refused("what it sends is no answer") from error
        if not isinstance(choice, dict):
            raise self._refused("what it sends is no answer")
        return choice

    async def _asked(self, client: httpx2.AsyncClient, method: str, path: str, body: Any = None) -> Any:
        try:
            reply = await client.request(method, path, json=body)
        except httpx2.HTTPError as error:
            raise self._away(str(error) or type(error).__name__) from error
        if reply.status_code >= 500 or reply.status_code in _BUSY:
            raise self._away(f"HTTP status {reply.status_code}")
        if reply.status_code >= 400:
            raise self._refused(f"HTTP status {reply.status_code}: {reply.text[:300]}")
        try:
            return reply.json()
        except ValueError as error:
            raise self._refused("what it sends is no JSON") from error

    def _client(self) -> httpx2.AsyncClient:
        key = os.environ.get(self._level.api_key, "") if self._level.api_key else ""
        return httpx2.AsyncClient(
            base_url=self._level.url.rstrip("/") + "/",
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx2.Timeout(_ASK_S, connect=CONNECT_S),
            trust_env=False,
        )

    def _away(self, why: str) -> Away:
        return Away(f"the teacher, {self._level.url}, is away: {why}")

    def _refused(self, why: str) -> BadRequest:
        return BadRequest(
            f"the server does not teach: {why}",
            place=self._level.url,
            remedy="correct `url`, `model` and `api_key` in the levels file, or choose another `teach.by`",
        )


def aligned(
    given: Any, ids: Sequence[int], tokens: int, student: LoadedModel, k: int
) -> list[list[tuple[int, float]]] | None:
    """The likeliest ids and their logarithms at each of the last `tokens` ids, as many at every one.

    None where the server says nothing of that kind, or reads an id as another text than the student.
    """
    if not isinstance(given, list) or len(given) != len(ids):
        return None
    rows = []
    for token, entries in list(zip(ids, given, strict=True))[-tokens:]:
        own = (entries or {}).get(str(token))
        if own is None or not _same(own.get("decoded_token"), student, token):
            return None
        row = [(int(key), float(entry["logprob"])) for key, entry in entries.items()]
        rows.append(sorted(row, key=lambda each: -each[1])[:k])
    width = min(map(len, rows))
    return [row[:width] for row in rows]


def _same(said: str | None, student: LoadedModel, token: int) -> bool:
    """An id that ends a turn is spelled by no text that could differ; of others the text tells."""
    return token in student.stop_ids or said == student.tokenizer.decode([token])
