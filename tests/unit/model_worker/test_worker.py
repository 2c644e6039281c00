"""The queue in front of an engine. The engine here computes nothing: it waits until it is let on, token by token."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from nodes.model_worker.errors import ModelMissing
from nodes.model_worker.levels import Level
from nodes.model_worker.worker import MOST_TEXTS, Worker
from protocol.errors import BadRequest, Cancelled
from protocol.messages.model import (
    Embed,
    Embedded,
    Exercise,
    Generate,
    Generated,
    ModelInfo,
    Solution,
    Taught,
    Teach,
    Token,
)
from runtime.clock import VirtualClock

LEVEL = Level(name="small", model="/m", context=8, max_new_tokens=8)


class FakeLecture:
    def __init__(self, exercises: int) -> None:
        self.exercises = exercises
        self.over = False
        self.taught = Taught(solutions=0, version="v")


class FakeReading:
    def __init__(self, texts: int) -> None:
        self.left = texts
        self.embedded = Embedded(vectors=b"", dimensions=0, tokens=[], version="v")

    @property
    def over(self) -> bool:
        return not self.left


class FakeEngine:
    """Says `limit` tokens; before the first it waits to be let on."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()
        self.teaches = threading.Event()
        """A pass of teaching has begun."""
        self.may_teach = threading.Event()
        self.may_teach.set()
        self.problem = ""
        self.state_problem = ""
        self.done: list[str] = []
        self.told: set[str] = set()

    def generate(
        self, request: Generate, *, on_token: Callable[[Token], None], cancelled: Callable[[], bool], deadline: Any
    ) -> Generated:
        assert self.may_go_on.wait(60)
        ids: list[int] = []
        while len(ids) < request.max_new_tokens and not cancelled():
            ids.append(len(ids))
            on_token(Token(text="t", id=ids[-1], index=ids[-1], logprob=0.0))
        self.done.append(request.session)
        return Generated(
            text="t" * len(ids),
            ids=ids,
            stop_reason="length",
            tokens_reused=0,
            tokens_computed=0,
            tokens_generated=len(ids),
            confidence=1.0,
            level="small",
            model="/m",
            version="v",
            seconds={"decode": 1.0},
        )

    def teach(self, request: Teach) -> FakeLecture:
        return FakeLecture(len(request.exercises))

    def go_on_teaching(self, lecture: FakeLecture, interrupted: Callable[[], str]) -> list[Solution]:
        self.done.append("pass")
        self.teaches.set()
        assert self.may_teach.wait(60)
        self.told.add(interrupted())
        lecture.over = lecture.taught.solutions == lecture.exercises
        if lecture.over:
            return []
        index = lecture.taught.solutions
        lecture.taught = Taught(solutions=index + 1, version="v")
        return [Solution(index=index)]

    def embed(self, request: Embed) -> FakeReading:
        return FakeReading(len(request.texts))

    def go_on_reading(self, reading: FakeReading) -> None:
        self.done.append("pass")
        reading.left -= 1
        reading.embedded = msgspec.structs.replace(reading.embedded, cpu_s=reading.embedded.cpu_s + 1)

    def load(self) -> None:
        self.problem = "no such folder"
        raise ModelMissing(self.problem)

    def unload(self) -> None:
        self.done.append("unload")

    def close(self) -> None:
        self.done.append("close")

    def info(self) -> ModelInfo:
        return ModelInfo(level="small", model="/m", version="v", loaded=True)

    def stats(self) -> dict[str, float]:
        return {"sessions": len(self.done)}

    def disk_stats(self) -> dict[str, float]:
        return {"disk_waiting": 0}


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
async def worker(engine: FakeEngine) -> Any:
    made = Worker(LEVEL, VirtualClock())
    made._engine = engine  # type: ignore[assignment]
    yield made
    engine.may_go_on.set()
    await made.close()


def ask(worker: Worker, session: str, *, count: int = 3, tokens: list[Token] | None = None) -> asyncio.Task[Generated]:
    return asyncio.create_task(
        worker.generate(
            Generate(session=session, max_new_tokens=count),
            on_token=(tokens if tokens is not None else []).append,
            cancelled=lambda: False,
            deadline=None,
        )
    )


async def test_all_tokens_are_handed_over_before_the_answer(worker: Worker, engine: FakeEngine) -> None:
    tokens: list[Token] = []
    engine.may_go_on.set()
    generated = await ask(worker, "a", count=500, tokens=tokens)
    assert [token.id for token in tokens] == generated.ids
    assert generated.seconds == {"queue": 0.0, "decode": 1.0}


async def test_work_is_done_in_order_one_piece_at_a_time(worker: Worker, engine: FakeEngine) -> None:
    asked = [ask(worker, name) for name in "abc"]
    unloading = asyncio.create_task(worker.unload())
    await asyncio.sleep(0)
    assert worker.waiting == 4
    engine.may_go_on.set()
    await asyncio.gather(*asked, unloading)
    assert engine.done == ["a", "b", "c", "unload"]
    assert (worker.waiting, worker.state_stats) == (0, {"sessions": 4, "disk_waiting": 0})


async def test_a_request_given_up_while_it_waits_is_never_begun(worker: Worker, engine: FakeEngine) -> None:
    first, second, third = (ask(worker, name) for name in "abc")
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    engine.may_go_on.set()
    await asyncio.gather(first, third)
    assert engine.done == ["a", "c"]


async def test_what_was_made_for_somebody_who_no_longer_waits_is_told_and_nothing_else(engine: FakeEngine) -> None:
    unheard: list[Generated] = []
    worker = Worker(LEVEL, VirtualClock(), given_up=unheard.append)
    worker._engine = engine  # type: ignore[assignment]
    gone = threading.Event()
    request = Generate(session="a", max_new_tokens=10**9)
    asked = worker.generate(request, on_token=lambda _: None, cancelled=gone.is_set, deadline=None)
    given_up = asyncio.create_task(asked)
    heard = ask(worker, "b")
    await asyncio.sleep(0)
    gone.set()
    given_up.cancel()
    engine.may_go_on.set()
    await heard
    assert engine.done == ["a", "b"]
    assert [one.tokens_generated for one in unheard] == [0]
    await worker.close()


async def test_closing_ends_what_runs_and_drops_what_waits(worker: Worker, engine: FakeEngine) -> None:
    running, waiting = ask(worker, "a", count=10**9), ask(worker, "b")
    await asyncio.sleep(0)
    closing = asyncio.create_task(worker.close())
    await asyncio.sleep(0)
    engine.may_go_on.set()
    await closing
    assert (await running).tokens_generated < 10**9
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert engine.done == ["a", "close"]


async def test_why_the_model_does_not_load_is_kept_to_be_shown(worker: Worker) -> None:
    with pytest.raises(ModelMissing):
        await worker.load()
    assert worker.problem == "no such folder"


async def test_unloading_what_was_never_loaded_does_not_even_import_torch() -> None:
    worker = Worker(LEVEL, VirtualClock())
    await worker.unload()
    assert not await worker.adopt(None)
    assert worker._engine is None
    await worker.close()


async def test_whoever_asks_goes_before_the_next_pass_of_teaching(worker: Worker, engine: FakeEngine) -> None:
    engine.may_go_on.set()
    sent: list[Solution] = []
    asked: list[asyncio.Task[Generated]] = []

    async def send(solutions: list[Solution]) -> None:
        sent.extend(solutions)
        if len(sent) == 2:
            asked.append(asyncio.ensure_future(ask(worker, "user")))
            await asyncio.sleep(0)

    taught = await worker.teach(Teach(exercises=[Exercise(ids=[1])] * 4), on_solutions=send, cancelled=lambda: False)
    await asked[0]
    assert (taught.solutions, [each.index for each in sent]) == (4, [0, 1, 2, 3])
    assert engine.done == ["pass", "pass", "user", "pass", "pass", "pass"]


async def test_a_pass_is_told_when_somebody_waits(worker: Worker, engine: FakeEngine) -> None:
    engine.may_go_on.set()
    engine.may_teach.clear()

    async def send(solutions: list[Solution]) -> None: ...

    teaching = asyncio.ensure_future(
        worker.teach(Teach(exercises=[Exercise(ids=[1])] * 2), on_solutions=send, cancelled=lambda: False)
    )
    assert await asyncio.to_thread(engine.teaches.wait, 60)
    asking = asyncio.ensure_future(ask(worker, "a"))
    while worker._waiting < 2:
        await asyncio.sleep(0)
    engine.may_teach.set()
    await asyncio.gather(teaching, asking)
    assert "waited for" in engine.told


async def test_teaching_that_is_given_up_is_told_with_what_it_took(engine: FakeEngine) -> None:
    engine.may_go_on.set()
    vain: list[Taught] = []
    worker = Worker(LEVEL, VirtualClock(), taught_in_vain=vain.append)
    worker._engine = engine  # type: ignore[assignment]
    given_up: list[bool] = []

    async def send(solutions: list[Solution]) -> None:
        given_up.append(True)

    with pytest.raises(Cancelled):
        await worker.teach(
            Teach(exercises=[Exercise(ids=[1])] * 9), on_solutions=send, cancelled=lambda: bool(given_up)
        )
    assert [each.solutions for each in vain] == [1]
    await worker.close()


async def test_texts_are_read_pass_by_pass_and_what_that_took_is_told(engine: FakeEngine) -> None:
    told: list[Embedded] = []
    worker = Worker(LEVEL, VirtualClock(), embedded=told.append)
    worker._engine = engine  # type: ignore[assignment]
    embedded = await worker.embed(Embed(texts=["a", "b", "c"]), cancelled=lambda: False)
    assert (engine.done, embedded.cpu_s, told) == (["pass"] * 3, 3, [embedded])
    await worker.close()


async def test_reading_that_is_given_up_ends_at_the_next_pass_and_is_told(engine: FakeEngine) -> None:
    told: list[Embedded] = []
    worker = Worker(LEVEL, VirtualClock(), embedded=told.append)
    worker._engine = engine  # type: ignore[assignment]
    with pytest.raises(Cancelled, match="reading was given up"):
        await worker.embed(Embed(texts=["a"] * 5), cancelled=lambda: len(engine.done) == 2)
    assert [each.cpu_s for each in told] == [2]
    await worker.close()


@pytest.mark.parametrize("count", [0, MOST_TEXTS + 1])
async def test_no_text_and_too_many_are_refused(worker: Worker, engine: FakeEngine, count: int) -> None:
    with pytest.raises(BadRequest, match=f"{count} texts"):
        await worker.embed(Embed(texts=["a"] * count), cancelled=lambda: False)
    assert not engine.done
