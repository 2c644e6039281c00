"""Work begun ahead of its task must look to itself as if the task had done all of it."""

import asyncio
from contextvars import ContextVar, copy_context

import pytest

from runtime.bus.eager import Threshold

SEEN: ContextVar[str] = ContextVar("SEEN", default="nothing")


class Worker:
    """A task that waits on a threshold for ever, and what came out of each wait."""

    def __init__(self):
        context = copy_context()
        self.threshold = Threshold(context)
        self.outcomes = []
        self.task = asyncio.get_running_loop().create_task(self._run(), context=context)

    async def _run(self):
        while True:
            try:
                await self.threshold.wait()
                self.outcomes.append("woken")
            except ValueError as error:
                self.outcomes.append(error)

    async def begin(self, work):
        """Begin `work` as a callback of the loop does: outside of any task."""
        begun = asyncio.get_running_loop().create_future()

        def callback():
            try:
                begun.set_result(self.threshold.begin(work))
            except Exception as error:
                begun.set_exception(error)

        asyncio.get_running_loop().call_soon(callback)
        await begun


@pytest.fixture
async def worker():
    made = Worker()
    await turns()
    yield made
    made.task.cancel()
    await asyncio.gather(made.task, return_exceptions=True)


async def turns(count=5):
    for _ in range(count):
        await asyncio.sleep(0)


async def test_work_that_waits_for_nothing_is_done_at_once_and_wakes_nobody(worker):
    done = []

    async def work():
        done.append(asyncio.current_task())

    await worker.begin(work())
    assert done == [worker.task]
    assert worker.threshold.free
    await turns()
    assert worker.outcomes == []


async def test_work_that_waits_is_carried_on_by_the_task_in_its_name_and_context(worker):
    gate = asyncio.Event()
    tasks, seen = [], []

    async def work():
        tasks.append(asyncio.current_task())
        token = SEEN.set("inside")
        await gate.wait()
        tasks.append(asyncio.current_task())
        seen.append(SEEN.get())
        SEEN.reset(token)
        await asyncio.sleep(0)
        seen.append(SEEN.get())

    await worker.begin(work())
    assert not worker.threshold.free
    assert SEEN.get() == "nothing"
    gate.set()
    await turns(10)
    assert tasks == [worker.task, worker.task]
    assert seen == ["inside", "nothing"]
    assert worker.outcomes == ["woken"]
    assert worker.threshold.free


async def test_what_the_first_step_raises_comes_out_of_begin(worker):
    async def work():
        raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        await worker.begin(work())
    assert worker.threshold.free


async def test_what_a_later_step_raises_comes_out_of_wait(worker):
    async def work():
        await asyncio.sleep(0)
        raise ValueError("later")

    await worker.begin(work())
    await turns()
    assert [str(outcome) for outcome in worker.outcomes] == ["later"]


async def test_an_error_of_what_is_awaited_reaches_the_work(worker):
    awaited = asyncio.get_running_loop().create_future()
    caught = []

    async def work():
        try:
            await awaited
        except ValueError as error:
            caught.append(error)
            await asyncio.sleep(0)

    await worker.begin(work())
    awaited.set_exception(ValueError("there"))
    await turns()
    assert [str(error) for error in caught] == ["there"]
    assert worker.outcomes == ["woken"]


@pytest.mark.parametrize("seconds", [0, 0.001])
async def test_a_timeout_begun_in_the_first_step_ends_the_wait_of_the_work_and_not_the_task(worker, seconds):
    ended = asyncio.get_running_loop().create_future()

    async def work():
        try:
            async with asyncio.timeout(seconds):
                await asyncio.Event().wait()
        except TimeoutError:
            ended.set_result("timed out")

    await worker.begin(work())
    assert await asyncio.wait_for(ended, 5) == "timed out"
    await turns()
    assert not worker.task.done()
    assert worker.task.cancelling() == 0
    assert worker.outcomes == ["woken"]


async def test_cancelling_the_task_before_it_takes_over_cancels_the_work(worker):
    ended = []

    async def work():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            await asyncio.sleep(0)
            ended.append("tidied")
            raise

    await worker.begin(work())
    worker.task.cancel()
    await asyncio.gather(worker.task, return_exceptions=True)
    assert ended == ["cancelled", "tidied"]
    assert worker.task.cancelled()


async def test_cancelling_the_task_while_it_carries_on_cancels_the_work(worker):
    ended = []

    async def work():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("ended")

    await worker.begin(work())
    await turns()
    worker.task.cancel()
    await asyncio.gather(worker.task, return_exceptions=True)
    assert ended == ["ended"]
    assert worker.task.cancelled()


async def test_work_that_cancels_its_own_task_is_cancelled_where_it_next_waits(worker):
    steps = []

    async def work():
        worker.task.cancel()
        steps.append("first")
        await asyncio.sleep(0)
        steps.append("second")

    await worker.begin(work())
    await asyncio.gather(worker.task, return_exceptions=True)
    assert steps == ["first"]
    assert worker.task.cancelled()


async def test_a_cancellation_raised_by_the_first_step_ends_the_task(worker):
    async def work():
        raise asyncio.CancelledError

    await worker.begin(work())
    await asyncio.gather(worker.task, return_exceptions=True)
    assert worker.task.cancelled()


async def test_a_task_group_in_the_first_step_belongs_to_the_task(worker):
    done = []

    async def part(name):
        await asyncio.sleep(0)
        done.append(name)

    async def work():
        async with asyncio.TaskGroup() as group:
            group.create_task(part("a"))
            group.create_task(part("b"))
        done.append("all")

    await worker.begin(work())
    await turns(10)
    assert done == ["a", "b", "all"]


async def test_nothing_can_be_begun_where_nobody_waits():
    async def work():
        pass

    threshold, begun = Threshold(copy_context()), work()
    with pytest.raises(RuntimeError, match="nobody waits"):
        threshold.begin(begun)
    begun.close()
