import asyncio
import signal
import subprocess
import sys
import textwrap

from protocol.messages.node import NodeState
from protocol.topics import Every
from runtime.client import Client
from tests.fabric import PATIENCE_S, ROOT
from tests.process.fabric.messages import Observed, Say

ECHO = "tests.process.fabric.echo"


async def collect(events, count):
    async with asyncio.timeout(PATIENCE_S):
        return [await anext(events) for _ in range(count)]


async def say(client, **what):
    return await client.call("echo", Say(**what), deadline=PATIENCE_S)


async def test_events_come_in_order_with_their_header(system):
    await system.node(ECHO, "echo")
    async with system.client.events("test/number", delivery=Every()) as events:
        await say(system.client, count=2000)
        heard = await collect(events, 2000)
    assert [event.body.n for event in heard] == list(range(2000))
    assert [event.header.seq for event in heard] == list(range(1, 2001))
    assert {event.header.source for event in heard} == {"echo"}
    assert system.client.stats()["events"]["lost"] == 0


async def test_a_late_joiner_gets_the_retained_value_once_and_then_what_follows(system):
    await system.node(ECHO, "echo", {"degrees": 5})
    async with (
        Client.connect(system.run_dir, name="late", deadline=PATIENCE_S) as late,
        late.events("test/weather") as events,
    ):
        assert [event.body.degrees for event in await collect(events, 1)] == [5]
        await say(system.client, degrees=6)
        await say(system.client, degrees=7)
        last = (await collect(events, 1))[0]
        while last.body.degrees != 7:
            assert last.body.degrees == 6
            last = (await collect(events, 1))[0]


async def test_a_prefix_hears_all_topics_under_it(system):
    await system.node(ECHO, "echo", {"degrees": 5})
    async with system.client.events("test/") as events:
        await say(system.client, count=1)
        heard = {event.header.name for event in await collect(events, 2)}
    assert heard == {"test/number", "test/weather"}


async def test_after_a_restart_of_the_hub_nodes_hear_each_other_and_retained_values_are_back(system):
    await system.node(ECHO, "echo", {"degrees": 5})
    await system.node(ECHO, "listener", {"hears": True})
    await system.end("hub", signal.SIGKILL)
    await system.hub()
    await system.wait_for("echo", NodeState.READY)
    await system.wait_for("listener", NodeState.READY)
    async with Client.connect(system.run_dir, name="late", deadline=PATIENCE_S) as late:
        async with late.events("test/weather") as events:
            assert (await collect(events, 1))[0].body.degrees == 5
        await say(late, count=3, degrees=6)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                seen = await late.call("listener", Observed(), deadline=PATIENCE_S)
                if seen.numbers and seen.weather[-1] == 6:
                    break
                await asyncio.sleep(0.01)
    assert seen.numbers == [0, 1, 2]
    assert seen.weather == [5, 6]


async def test_a_stopped_reader_slows_nobody_and_knows_what_it_lost(system):
    await system.node(ECHO, "echo")
    await system.node(ECHO, "listener", {"hears": True})
    system.kill("listener", signal.SIGSTOP)
    async with system.client.events("test/number", delivery=Every()) as events:
        for _ in range(16):
            await say(system.client, count=5_000)
            assert len(await collect(events, 5_000)) == 5_000
    system.kill("listener", signal.SIGCONT)
    said = 80_000
    async with asyncio.timeout(PATIENCE_S):
        while True:
            # Only a message that comes through shows what was lost before it.
            said += (await say(system.client, count=1)).value
            stats = (await system.wait_for("listener", NodeState.READY)).health.stats
            if stats["events"]["lost"] and stats["events"]["lost"] + stats["inbox test/number"]["received"] >= said - 1:
                break
            await asyncio.sleep(0.1)
    assert stats["events"]["lost"] + stats["inbox test/number"]["received"] <= said


async def test_a_program_with_nothing_but_pyzmq_and_msgpack_hears_and_calls(system):
    await system.node(ECHO, "echo", {"degrees": 5})
    program = textwrap.dedent("""
        import sys, time, os, msgpack, zmq
        context = zmq.Context()
        sub = context.socket(zmq.SUB); sub.subscribe(b"test/number/"); sub.connect(f"ipc://{sys.argv[1]}/events-out")
        dealer = context.socket(zmq.DEALER); dealer.connect(f"ipc://{sys.argv[1]}/calls")
        dealer.rcvtimeo = 20000
        def call(target, service, body):
            ident = os.urandom(16)
            now = time.monotonic_ns()
            dealer.send_multipart([b"Q", target, ident, msgpack.packb({
                "version": 1, "id": ident, "name": service, "source": "foreign", "host": "x", "epoch": 1, "seq": 0,
                "wall_ns": 0, "mono_ns": now, "trace": b"", "deadline_ns": now + 20 * 10**9, "body": body})])
            kind, _, payload = dealer.recv_multipart()
            return kind, msgpack.unpackb(payload)
        print(call(b"echo", "node/ping", {"payload": b"hi"}))
        print(call(b"hub", "hub/snapshot", {"topics": ["test/weather"]})[0])
        kind, error = call(b"nobody", "node/ping", {})
        print(kind, error["code"])
        poller = zmq.Poller(); poller.register(sub, zmq.POLLIN)
        while not poller.poll(50):
            call(b"echo", "test/say", {"count": 1})
        topic, message = sub.recv_multipart()
        print(topic, msgpack.unpackb(message)["body"]["n"])
        context.destroy(linger=0)
    """)
    ran = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-c", program, str(system.run_dir), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output, _ = await ran.communicate()
    assert output.decode().splitlines() == [
        "(b'R', {'payload': b'hi'})",
        "b'R'",
        "b'E' call.unknown_node",
        "b'test/number/' 0",
    ]


async def test_a_second_hub_says_who_holds_the_run_directory(system):
    ran = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "runtime.hub", env=system.environment("hub"), cwd=ROOT, stderr=subprocess.PIPE
    )
    _, output = await ran.communicate()
    assert ran.returncode == 3
    assert str(system.processes["hub"].pid) in output.decode()
