"""Work that is begun where it arises, and carried on by the task it belongs to.

To wake a task costs a turn of the event loop. A handler that waits for nothing is done before that turn would have
come. So the first step of the work is taken at once, in the task's name and in its context, and if it waits then, the
task takes it over. To the work it looks as if the task had done all of it.
"""

from __future__ import annotations

import asyncio
import types
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Coroutine, Generator
from contextvars import Context
from typing import Any


class Threshold:
    """Where one task waits for work. `context` must be the one that the task was created with."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._task: asyncio.Task[Any] | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._begun: tuple[Coroutine[Any, Any, None], Any] | None = None

    @property
    def free(self) -> bool:
        """Whether the task waits here, and nothing has woken it yet."""
        return self._waiting is not None and not self._waiting.done()

    def wake(self) -> None:
        """Let the task's `wait` return, if it waits."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Take the first step of `work` for the task, which must be `free`; if that does not end it, wake the task.

        To be called from a callback of the loop, not from within another task. Raises what the first step raises.
        """
        task, waiting = self._task, self._waiting
        if task is None or waiting is None:
            raise RuntimeError("nobody waits here")
        loop = waiting.get_loop()
        _enter_task(loop, task)
        try:
            awaited = self._context.run(work.send, None)
        except StopIteration:
            return
        except asyncio.CancelledError:
            # As if the task had raised it itself.
            task.cancel()
            return
        finally:
            _leave_task(loop, task)
        self._begun = (work, awaited)
        self.wake()

    @types.coroutine
    def wait(self) -> Generator[Any, Any, None]:
        """Wait until woken. Work that was begun meanwhile has ended when this returns; raises what it raises."""
        self._task = asyncio.current_task()
        self._waiting = asyncio.get_running_loop().create_future()
        error: BaseException | None = None
        try:
            yield from self._waiting
        except BaseException as raised:
            error = raised
        self._waiting = None
        begun, self._begun = self._begun, None
        if begun is not None:
            yield from _carry_on(*begun, error)
        elif error is not None:
            raise error


def _carry_on(work: Coroutine[Any, Any, None], awaited: Any, error: BaseException | None) -> Generator[Any, Any, None]:
    """The rest of `work`, which waits for `awaited`; where the task was cancelled meanwhile, `error` thrown into it."""
    try:
        while True:
            if error is None:
                try:
                    yield awaited
                except BaseException as raised:
                    error = raised
            awaited = work.send(None) if error is None else work.throw(error)
            error = None
    except StopIteration:
        return
