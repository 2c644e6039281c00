"""The hub process: routes calls, keeps the registry and the retained values, and lets events through.

It reads no event. Retained values reach it over the call plane, in order and without loss, so that a reader of the
event plane that is slow, or late, or new can always be given what holds now.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path

import msgspec
import structlog
import zmq

from protocol.codec import decode, decode_body, encode_body
from protocol.errors import (
    CalleeLost,
    DeadlineExceeded,
    MessageError,
    NotPermitted,
    Overloaded,
    SageError,
    UnknownNode,
)
from protocol.messages.hub import (
    HubStats,
    ListNodes,
    NodeRecord,
    Register,
    Registered,
    Registry,
    Snapshot,
    SnapshotRequest,
    StatsRequest,
)
from protocol.messages.metabolism import MetabolicState
from protocol.messages.node import Health, NodeState
from protocol.schema import schema_hashes
from protocol.services import SERVICES
from protocol.topics import TOPICS
from runtime.bus import frames
from runtime.bus.publisher import Publisher
from runtime.bus.serving import Call, Served, Server
from runtime.bus.transport import Endpoints, Frames, Pump, make_context, make_socket, send
from runtime.clock import Clock
from runtime.hub.forwarder import Forwarder
from runtime.hub.registry import GONE, Member, Members
from runtime.hub.retained import RetainedValues
from runtime.hub.routing import Calls, Route
from runtime.vitals import Vitals

_ROUTER_HIGH_WATER = 1000
_SWEEP_S = 0.5
_LAST_WORD_S = 0.05
"""How long the last heartbeat of a process that has ended is waited for: the kernel may be faster than the socket."""
_HEALTH = TOPICS.by_body(Health)
_METABOLIC = TOPICS.by_body(MetabolicState)
_REGISTRY = TOPICS.by_body(Registry)


class Hub:
    """Everything the hub knows and does; `runtime.hub.__main__` gives it a process."""

    def __init__(self, run_dir: Path, host: str, log: structlog.stdlib.BoundLogger, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.members = Members()
        self.retained = RetainedValues()
        self.calls = Calls()
        self.counts: Counter[str] = Counter()
        """What was refused, could not be delivered, or came from nobody."""
        self._log = log
        self._endpoints = Endpoints(run_dir)
        self._publisher = Publisher(source=frames.HUB, host=host, clock=self.clock, topics=TOPICS)
        self._server = Server(self._answer, self.clock, log)
        self._own_calls: dict[bytes, bytes] = {}
        self._names: dict[bytes, str] = {}
        self._behind: set[str] = set()
        self._metabolic: tuple[int, bytes] = (0, b"")
        self._pidfds: dict[int, tuple[str, int]] = {}
        self._ends: dict[tuple[str, int], asyncio.TimerHandle] = {}
        """Of processes whose end is not told yet."""
        self._shown = -1
        self._vitals = Vitals(self.clock)
        for request, handler in (
            (Register, self._register),
            (SnapshotRequest, self._snapshot),
            (ListNodes, self._list),
            (StatsRequest, self._stats),
        ):
            self._server.add(Served(SERVICES.by_request(request), handler, concurrency=64, queue=4096))
        self._server.open()

    def open(self) -> None:
        """Bind the sockets and begin. The caller holds the run directory's hub lock."""
        self._loop = asyncio.get_running_loop()
        self._context = make_context()
        self._forwarder = Forwarder(self._context, self._endpoints)
        self._router = make_socket(self._context, zmq.ROUTER, high_water=_ROUTER_HIGH_WATER)
        self._router.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._router.bind(self._endpoints.calls)
        self._pub = make_socket(self._context, zmq.PUB)
        self._pub.connect(self._endpoints.events_in)
        self._forwarder.start()
        self._pump = Pump(self._router, self._take, self._loop)
        self._sweep_timer = self._loop.call_later(_SWEEP_S, self._sweep)

    async def close(self) -> None:
        self._sweep_timer.cancel()
        await self._server.close()
        self._pump.close()
        for fd in list(self._pidfds):
            self._unwatch(fd)
        for end in self._ends.values():
            end.cancel()
        self._router.close()
        self._pub.close()
        await asyncio.to_thread(self._context.term)
        self._forwarder.join()

    # What arrives on the call plane

    def _take(self, received: Frames) -> None:
        """Every message ends in exactly one counter besides `frames`."""
        self.counts["frames"] += 1
        if len(received) != 5:
            self.counts["refused.message.malformed"] += 1
            return
        sender, kind, target, ident, payload = received
        try:
            if kind == frames.REQUEST:
                self._request(sender, target, ident, payload)
            elif kind in (frames.PART, frames.REPLY, frames.ERROR):
                self._deliver_answer(sender, kind, ident, payload)
            elif kind in (frames.CREDIT, frames.CANCEL):
                self._steer(sender, kind, ident, payload)
            elif kind == frames.RETAIN:
                self._retain(sender, target, payload)
            else:
                self.counts["refused.message.unknown"] += 1
        except SageError as error:
            self.counts[f"refused.{error.code}"] += 1
            if kind == frames.REQUEST:
                self._send([sender, frames.ERROR, ident, encode_body(error.to_body())])

    def _request(self, sender: bytes, target: bytes, ident: bytes, payload: bytes) -> None:
        envelope = decode(payload)
        name = target.decode(errors="replace")
        if name == frames.HUB:
            if self._own_calls.setdefault(ident, sender) is not sender:
                raise NotPermitted("a call of this id is under way", place=f"{name}: {envelope.name}")
            self.counts["calls to the hub"] += 1
            self._server.take(frames.REQUEST, ident, payload)
            return
        member = self._reachable(name)
        deadline_ns = envelope.deadline_ns
        if deadline_ns is None or deadline_ns <= self.clock.mono_ns():
            raise DeadlineExceeded("a call needs a deadline in the future", place=f"{name}: {envelope.name}")
        route = Route(sender, member.route, name, envelope.name, deadline_ns)
        if not self.calls.open(ident, route):
            raise NotPermitted("a call of this id is under way", place=f"{name}: {envelope.name}")
        if not self._send([member.route, frames.REQUEST, ident, payload]):
            self.calls.close(ident)
            raise Overloaded(
                "it does not take its messages, and its queue in the hub is full",
                place=name,
                remedy="see `sage status`: it may hang or be stopped",
            )
        self.counts["calls"] += 1

    def _reachable(self, name: str) -> Member:
        member = self.members.by_name.get(name)
        if member is None:
            raise UnknownNode(f"no node {name!r} is here", place=name, remedy=self.members.similar(name))
        if not member.reachable:
            raise CalleeLost(
                f"{name} is {member.state}: {member.reason or 'it has ended'}",
                place=name,
                remedy="see `sage status` and `sage logs`",
            )
        return member

    def _deliver_answer(self, sender: bytes, kind: bytes, ident: bytes, payload: bytes) -> None:
        route = self.calls.answered_by(ident, sender)
        if route is None:
            self.counts["answers without a call"] += 1
            return
        self.counts["answers"] += 1
        if kind != frames.PART:
            self.calls.close(ident)
        if not self._send([route.caller, kind, ident, payload]) and kind == frames.PART:
            # A stream with a hole is worth nothing: better that its caller runs into the deadline than reads past it.
            self.counts["calls cut"] += 1
            self.calls.close(ident)
            self._send([route.callee, frames.CANCEL, ident, b""])

    def _steer(self, sender: bytes, kind: bytes, ident: bytes, payload: bytes) -> None:
        own = self._own_calls.get(ident) == sender
        route = self.calls.steered_by(ident, sender)
        if route is None and not own:
            self.counts["steering without a call"] += 1
            return
        self.counts["steering"] += 1
        if route is None:
            self._server.take(kind, ident, payload)
            return
        if kind == frames.CANCEL:
            self.calls.close(ident)
        self._send([route.callee, kind, ident, payload])

    def _retain(self, sender: bytes, target: bytes, payload: bytes) -> None:
        envelope = decode(payload)
        name = self._names.get(sender)
        if envelope.name.encode() != target or (name is not None and envelope.source != name):
            raise NotPermitted(f"{envelope.source} may not leave {envelope.name!r} here", place=name or "unregistered")
        topic = TOPICS.find(envelope.name)
        if topic is not None:
            decode_body(envelope, topic.body)
        self.counts["retained"] += 1
        if not self.retained.put(envelope, payload):
            return
        if topic is _HEALTH and name is not None:
            self._beat(name, sender, decode_body(envelope, Health))
        elif topic is _METABOLIC:
            self._metabolic = (decode_body(envelope, MetabolicState).number, payload)

    # Who is here

    async def _register(self, request: Register, call: Call) -> Registered:
        route = self._own_calls[call.header.id]
        times = {"mono_ns": self.clock.mono_ns(), "wall_ns": self.clock.wall_ns()}
        before = self.members.by_name.get(request.name)
        member = self.members.register(request, route, **times)
        if before is not None:
            self._names.pop(before.route, None)
        self._names[route] = request.name
        for value in request.retained:
            try:
                self._retain(route, value.topic.encode(), value.frame)
            except MessageError as error:
                self.counts[f"refused.{error.code}"] += 1
        self._watch(member)
        self._show()
        self._log.info("node.registered", node=request.name, pid=request.pid, epoch=request.epoch)
        ours = schema_hashes(list(request.schemas))
        return Registered(
            hub_epoch=self._publisher.epoch,
            hub_pid=os.getpid(),
            schema_conflicts=[name for name, its in request.schemas.items() if name in ours and ours[name] != its],
        )

    def _beat(self, name: str, sender: bytes, health: Health) -> None:
        member = self.members.by_name[name]
        if member.route != sender:
            self.counts["heartbeats of a replaced process"] += 1
            return
        self.members.beat(name, health, mono_ns=self.clock.mono_ns(), wall_ns=self.clock.wall_ns())
        if health.state in GONE:
            self._fail_calls(member)
        self._bring_up_to_date(name, member, health)
        self._show()

    def _bring_up_to_date(self, name: str, member: Member, health: Health) -> None:
        """A node that is behind the metabolic number in two heartbeats running is handed the transition directly."""
        number, frame = self._metabolic
        if health.metabolic_number >= number or not member.reachable:
            self._behind.discard(name)
        elif name in self._behind:
            self.counts["brought up to date"] += 1
            self._send([member.route, frames.RETAIN, b"", frame])
        else:
            self._behind.add(name)

    def _watch(self, member: Member) -> None:
        """Have the kernel tell us the moment the process ends."""
        register = member.register
        if (register.name, register.epoch) in self._pidfds.values():
            return
        try:
            fd = os.pidfd_open(register.pid)
        except (OSError, OverflowError):
            # Another pid namespace, or it died just now, or no process at all: the heartbeat tells, later.
            member.watched = False
            self.counts["processes not watched"] += 1
            return
        self._pidfds[fd] = (register.name, register.epoch)
        self._loop.add_reader(fd, self._process_ended, fd)

    def _unwatch(self, fd: int) -> tuple[str, int]:
        self._loop.remove_reader(fd)
        os.close(fd)
        return self._pidfds.pop(fd)

    def _process_ended(self, fd: int) -> None:
        name, epoch = self._unwatch(fd)
        self._ends[name, epoch] = self._loop.call_later(_LAST_WORD_S, self._ended, name, epoch)

    def _ended(self, name: str, epoch: int) -> None:
        del self._ends[name, epoch]
        if self.members.exited(name, epoch, wall_ns=self.clock.wall_ns()):
            self._fail_calls(self.members.by_name[name])
            self._show()

    def _sweep(self) -> None:
        """Twice a second: who is overdue, and which calls has everybody given up."""
        now_ns = self.clock.mono_ns()
        for member in self.members.overdue(mono_ns=now_ns, wall_ns=self.clock.wall_ns()):
            self._fail_calls(member)
        for ident, route in self.calls.close_expired(now_ns):
            self.counts["calls expired"] += 1
            self._send([route.callee, frames.CANCEL, ident, b""])
        self._show()
        self._sweep_timer = self._loop.call_later(_SWEEP_S, self._sweep)

    def _fail_calls(self, member: Member) -> None:
        """Whoever waits for this node learns at once that it waits in vain; whom it asked learns that it is gone."""
        for ident, route in self.calls.close_with(member.route):
            if route.callee == member.route:
                self.counts["calls failed"] += 1
                error = CalleeLost(
                    f"{route.target} went away before it answered {route.service}: {member.reason or member.state}",
                    place=route.target,
                    remedy="ask again: the supervisor restarts it",
                )
                self._send([route.caller, frames.ERROR, ident, encode_body(error.to_body())])
            else:
                self._send([route.callee, frames.CANCEL, ident, b""])

    def _show(self) -> None:
        """Say the registry when something in it changed."""
        if self._shown == self.members.changes:
            return
        self._shown = self.members.changes
        records = [msgspec.structs.replace(one, health=None, beat_ns=0) for one in self.members.records()]
        registry = Registry(hub_epoch=self._publisher.epoch, nodes=[self._own_record(), *records])
        topic, frame = self._publisher.event(registry, b"")
        self.retained.put(decode(frame), frame)
        send(self._pub, [topic.wire, frame])

    # What the hub itself is asked

    async def _snapshot(self, request: SnapshotRequest, call: Call) -> Snapshot:
        return Snapshot(values=self.retained.under(request.topics))

    async def _list(self, request: ListNodes, call: Call) -> Registry:
        own = msgspec.structs.replace(self._own_record(), health=self._own_health(), beat_ns=self.clock.wall_ns())
        return Registry(hub_epoch=self._publisher.epoch, nodes=[own, *self.members.records()])

    async def _stats(self, request: StatsRequest, call: Call) -> HubStats:
        return HubStats(counters=self.stats())

    def stats(self) -> dict[str, dict[str, float]]:
        return {
            "hub": {key: float(count) for key, count in self.counts.items()},
            "retained": self.retained.stats(),
            "calls": {"open": len(self.calls)},
            "served": self._server.stats(),
        }

    def _own_record(self) -> NodeRecord:
        return NodeRecord(
            name=frames.HUB,
            state=NodeState.READY,
            module="runtime.hub",
            pid=os.getpid(),
            epoch=self._publisher.epoch,
            services=self._server.services,
            since_ns=self._publisher.epoch * 1_000_000,
        )

    def _own_health(self) -> Health:
        return self._vitals.health(NodeState.READY, stats=self.stats(), metabolic_number=self._metabolic[0])

    # What leaves

    def _answer(self, parts: Frames) -> bool:
        """An answer of the hub's own services, on its way to whoever asked."""
        kind, _, ident, payload = parts
        asker = self._own_calls[ident] if kind == frames.PART else self._own_calls.pop(ident)
        return self._send([asker, kind, ident, payload])

    def _send(self, parts: Frames) -> bool:
        """False, and counted, where the peer is gone or does not take its messages."""
        try:
            send(self._router, parts)
        except zmq.Again:
            self.counts["unsent: queue full"] += 1
            return False
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self.counts["unsent: peer gone"] += 1
            return False
        self._pump.poke()
        return True
