"""The running system as a port: every question is an exchange like any other, by dialogue's own path.

Each call opens a connection, asks and closes it, so that nothing is left behind: no thread, no socket. Under a host
that runs an event loop itself, a thread does it and has ended when the call returns.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from nodes.dialogue import config
from nodes.dialogue.irp.state import Reply
from protocol.errors import BadRequest, Cancelled, DeadlineExceeded
from protocol.messages.dialogue import Answer, Ask, ForgetSession
from protocol.messages.model import ChatMessage
from runtime.client import Client

T = TypeVar("T")
DIALOGUE = "dialogue"
GLANCE_S = 0.02
"""Seconds between two looks at whether it was cancelled."""
FORGET_S = 5.0


class RunningSystem:
    """`port.Port`. It keeps what was said itself, so a question cannot bring a conversation along."""

    def __init__(
        self, run_dir: Path | None = None, *, levels: Sequence[str] | None = None, source: str = "irp"
    ) -> None:
        """`run_dir`: of the system; by default as `sage` finds it.

        `levels`: of its dialogue, least capable first; by default those of `configs/dialogue.yaml`.
        """
        self.levels = tuple(levels or (level.name for level in config.load().levels))
        self._run_dir = run_dir
        self._source = source

    def ask(
        self,
        text: str,
        *,
        conversation: str,
        before: Sequence[ChatMessage],
        level: str,
        within_s: float,
        cancelled: Callable[[], bool],
    ) -> Reply:
        """Raises HubLost where no system runs, and what dialogue raises."""
        if before:
            raise BadRequest(
                "a running system keeps its conversations itself", place="irp: x0", remedy="give the question alone"
            )
        request = Ask(text=text, session=conversation, level=level, source=self._source)
        answer = _finished(self._ask(request, within_s, cancelled))
        return Reply(answer.text, answer.confidence, answer.answered_by)

    def forget(self, conversations: Sequence[str]) -> None:
        _finished(self._forget(conversations))

    async def _ask(self, request: Ask, within_s: float, cancelled: Callable[[], bool]) -> Answer:
        work = asyncio.get_running_loop().create_task(self._call(request, within_s))
        try:
            async with asyncio.timeout(within_s):
                while not (await asyncio.wait({work}, timeout=GLANCE_S))[0]:
                    if cancelled():
                        raise Cancelled("the refinement was cancelled", place="irp")
                return work.result()
        except TimeoutError as error:
            raise DeadlineExceeded(f"no answer within {within_s:.3g} s", place="irp") from error
        finally:
            # Giving up the call is told to dialogue, and by dialogue to the worker.
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _call(self, request: Ask, within_s: float) -> Answer:
        async with Client.connect(self._run_dir, name="irp", deadline=within_s) as client:
            answer: Answer = await client.call(DIALOGUE, request, deadline=within_s)
        return answer

    async def _forget(self, conversations: Sequence[str]) -> None:
        async with Client.connect(self._run_dir, name="irp", deadline=FORGET_S) as client:
            for name in conversations:
                await client.call(DIALOGUE, ForgetSession(session=name), deadline=FORGET_S)


def _finished(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, done on a loop of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    found: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(asyncio.run(work))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="irp", daemon=True)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]
