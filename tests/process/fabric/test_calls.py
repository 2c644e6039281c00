import asyncio
import signal
import sys

import pytest

from protocol.errors import (
    BadRequest,
    CalleeLost,
    DeadlineExceeded,
    HandlerFailed,
    HubLost,
    Overloaded,
    Oversized,
    UnknownNode,
    UnknownService,
)
from protocol.header import BODY_LIMIT
from protocol.messages.dream import DreamStatusRequest
from protocol.messages.node import Describe, NodeState, Ping
from tests.fabric import PATIENCE_S
from tests.process.fabric.messages import Break, Count, Number, Observed, Once, Slow

ECHO = "tests.process.fabric.echo"


async def until(condition):
    async with asyncio.timeout(PATIENCE_S):
        while not await condition():
            await asyncio.sleep(0.01)


async def test_a_call_is_answered_and_parts_stream_back_in_order(system):
    await system.node(ECHO, "echo")
    assert (await system.client.call("echo", Ping(payload=b"x"), deadline=PATIENCE_S)).payload == b"x"
    async with system.client.stream("echo", Count(upto=500), deadline=PATIENCE_S) as stream:
        parts = [part.n async for part in stream]
        assert parts == list(range(500))
        assert stream.reply.value == 500


async def test_parts_wait_for_a_caller_that_does_not_read(system):
    await system.node(ECHO, "echo")
    async with system.client.stream("echo", Count(upto=10_000), deadline=PATIENCE_S) as stream:
        first = await anext(aiter(stream))
        assert isinstance(first, Number)
        # Two more round trips on the same path: whatever the callee could send without credit has been sent.
        await system.client.call("echo", Ping(), deadline=PATIENCE_S)
        seen = await system.client.call("echo", Observed(), deadline=PATIENCE_S)
        assert seen.parts_sent <= 64
        assert len([part async for part in stream]) == 9_999


async def test_what_cannot_be_answered_fails_at_once_by_name(system):
    await system.node(ECHO, "echo")
    call = system.client.call
    with pytest.raises(UnknownNode, match="did you mean 'echo'"):
        await call("ecko", Ping(), deadline=PATIENCE_S)
    with pytest.raises(UnknownService, match="it serves"):
        await call("echo", DreamStatusRequest(), deadline=PATIENCE_S)
    with pytest.raises(HandlerFailed, match="broken on purpose") as caught:
        await call("echo", Break(how="raise"), deadline=PATIENCE_S)
    assert "RuntimeError" in caught.value.detail["trace"]
    with pytest.raises(BadRequest, match="deadline"):
        await call("echo", Ping(), deadline=0)
    with pytest.raises(Oversized, match="bulk"):
        await call("echo", Ping(payload=b"x" * BODY_LIMIT), deadline=PATIENCE_S)
    assert (await call("echo", Ping(payload=b"alive"), deadline=PATIENCE_S)).payload == b"alive"


async def test_a_deadline_ends_the_call_on_both_sides(system):
    await system.node(ECHO, "echo")
    with pytest.raises(DeadlineExceeded, match="test/slow"):
        await system.client.call("echo", Slow(), deadline=0.05)

    async def cancelled():
        return (await system.client.call("echo", Observed(), deadline=PATIENCE_S)).cancelled == 1

    await until(cancelled)


async def test_leaving_a_stream_cancels_the_handler(system):
    await system.node(ECHO, "echo")
    async with system.client.stream("echo", Slow(), deadline=PATIENCE_S):
        await system.client.call("echo", Ping(), deadline=PATIENCE_S)

    async def cancelled():
        return (await system.client.call("echo", Observed(), deadline=PATIENCE_S)).cancelled == 1

    await until(cancelled)


async def test_past_its_bound_a_service_is_overloaded_at_once(system):
    await system.node(ECHO, "echo")
    calls = [asyncio.create_task(system.client.call("echo", Slow(), deadline=PATIENCE_S)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match=r"the limit is 2 \+ 1"):
        await system.client.call("echo", Slow(), deadline=PATIENCE_S)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)


async def test_a_repeated_call_under_one_key_is_computed_once(system):
    await system.node(ECHO, "echo")
    answers = await asyncio.gather(
        *(system.client.call("echo", Once(), deadline=PATIENCE_S, idempotency_key="k") for _ in range(5))
    )
    assert {answer.value for answer in answers} == {1}
    assert (await system.client.call("echo", Once(), deadline=PATIENCE_S, idempotency_key="l")).value == 2


async def test_the_death_of_the_callee_fails_its_calls_at_once(system):
    await system.node(ECHO, "echo")
    with pytest.raises(CalleeLost, match="went away"):
        await system.client.call("echo", Break(how="die"), deadline=PATIENCE_S)
    with pytest.raises(CalleeLost, match="died"):
        await system.client.call("echo", Ping(), deadline=PATIENCE_S)
    await system.node(ECHO, "echo")
    assert (await system.client.call("echo", Ping(payload=b"again"), deadline=PATIENCE_S)).payload == b"again"


async def test_the_death_of_the_hub_fails_calls_at_once_and_everybody_comes_back(system):
    await system.node(ECHO, "echo", {"degrees": 7})
    call = asyncio.create_task(system.client.call("echo", Slow(), deadline=PATIENCE_S))
    await system.client.call("echo", Ping(), deadline=PATIENCE_S)
    await system.end("hub", signal.SIGKILL)
    with pytest.raises(HubLost):
        await call
    await system.hub()
    await system.wait_for("echo", NodeState.READY)
    assert (await system.client.call("echo", Ping(payload=b"x"), deadline=PATIENCE_S)).payload == b"x"


async def test_a_node_ends_in_order_and_a_fatal_error_ends_it_with_its_reason(system):
    await system.node(ECHO, "echo")
    assert await system.end("echo") == 0
    assert (await system.wait_for("echo", NodeState.STOPPED)).reason == ""
    await system.node(ECHO, "echo")
    await system.client.call("echo", Break(how="fatal"), deadline=PATIENCE_S)
    record = await system.wait_for("echo", NodeState.FAILED)
    assert "cannot go on" in record.reason
    assert await system.processes["echo"].wait() == 1


async def test_a_second_node_of_the_same_name_is_refused(system):
    await system.node(ECHO, "echo")
    first = system.processes["echo"]
    await system.process("echo", sys.executable, "-m", ECHO)

    async def refused():
        return "is registered under this name and alive" in system.log("echo")

    await until(refused)
    system.processes["echo"].kill()
    await system.processes["echo"].wait()
    system.processes["echo"] = first
    description = await system.client.call("echo", Describe(), deadline=PATIENCE_S)
    assert description.summary == "Says, counts, waits and breaks as it is asked."


async def test_wrong_parameters_are_refused_with_what_would_be_right(system):
    await system.process("echo", sys.executable, "-m", ECHO, params={"degres": 3})
    assert await system.processes["echo"].wait() == 2
    assert "degres" in system.log("echo")
    assert "it takes: degrees, hears" in system.log("echo")
