"""Who is here, and in what state. Pure: time comes in as an argument."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field

from protocol.errors import NameTaken
from protocol.messages.hub import NodeRecord, Register
from protocol.messages.node import Health, NodeState

GONE = frozenset({NodeState.STOPPED, NodeState.FAILED})
_LAST_WORDS = {
    NodeState.STOPPING: NodeState.STOPPED,
    NodeState.STOPPED: NodeState.STOPPED,
    NodeState.FAILED: NodeState.FAILED,
}
"""What a process said last → how it has ended."""


@dataclass
class Member:
    """A node from its registration until another process takes its name."""

    register: Register
    route: bytes
    """Routing id of its socket."""
    state: NodeState
    reason: str
    since_ns: int
    beat_ns: int
    """Monotonic time of the last sign of life."""
    beat_wall_ns: int
    health: Health | None = None
    process_gone: bool = False
    watched: bool = True
    """Whether the kernel will tell of its end; otherwise only its missing heartbeat does."""

    @property
    def reachable(self) -> bool:
        """Whether a call to it can bring an answer."""
        return self.state not in GONE

    @property
    def holds_its_name(self) -> bool:
        """Whether another process must not take its place: it lives, or may live although it is silent."""
        return not self.process_gone and (self.watched or self.reachable)

    @property
    def said_why(self) -> bool:
        """Whether the node itself has said what it failed of."""
        return self.state == NodeState.FAILED and self.health is not None and self.health.state == NodeState.FAILED

    def patience_s(self) -> float:
        """Seconds without a sign of life after which it counts as lost; models may load slowly."""
        slow = self.watched and self.state == NodeState.STARTING
        return self.register.start_s if slow else self.register.liveness_s

    def record(self) -> NodeRecord:
        return NodeRecord(
            name=self.register.name,
            state=self.state,
            reason=self.reason,
            module=self.register.module,
            version=self.register.version,
            pid=self.register.pid,
            epoch=self.register.epoch,
            services=self.register.services,
            hears=self.register.hears,
            since_ns=self.since_ns,
            beat_ns=self.beat_wall_ns,
            health=self.health,
        )


@dataclass
class Members:
    """All members by name."""

    by_name: dict[str, Member] = field(default_factory=dict)
    changes: int = 0
    """Raised by everything that the registry's readers should see."""

    def register(self, register: Register, route: bytes, *, mono_ns: int, wall_ns: int) -> Member:
        """Take a node in. Raises `NameTaken` while another process of that name is alive."""
        known = self.by_name.get(register.name)
        if known is not None and self._other_process(known, register) and known.holds_its_name:
            raise NameTaken(
                f"process {known.register.pid} is registered under this name and alive",
                place=register.name,
                remedy="stop it first, or start this one under another name",
            )
        member = Member(
            register=register,
            route=route,
            state=NodeState.STARTING,
            reason="",
            since_ns=wall_ns,
            beat_ns=mono_ns,
            beat_wall_ns=wall_ns,
        )
        if known is not None and not self._other_process(known, register):
            member.state, member.reason, member.health = known.state, known.reason, known.health
        self.by_name[register.name] = member
        self.changes += 1
        return member

    def beat(self, name: str, health: Health, *, mono_ns: int, wall_ns: int) -> None:
        """A sign of life, with what the node says of itself. Read after its death, only last words count."""
        member = self.by_name[name]
        if member.process_gone:
            if health.state in _LAST_WORDS:
                self._change(member, _LAST_WORDS[health.state], health.reason, wall_ns)
            return
        member.beat_ns, member.beat_wall_ns, member.health = mono_ns, wall_ns, health
        self._change(member, health.state, health.reason, wall_ns)

    def exited(self, name: str, epoch: int, *, wall_ns: int) -> bool:
        """The process ended; whether that was the member of today."""
        member = self.by_name.get(name)
        if member is None or member.register.epoch != epoch:
            return False
        member.process_gone = True
        if member.state in (NodeState.STOPPING, NodeState.STOPPED):
            self._change(member, NodeState.STOPPED, "", wall_ns)
        elif not member.said_why:
            self._change(member, NodeState.FAILED, f"process {member.register.pid} died", wall_ns)
        return True

    def overdue(self, *, mono_ns: int, wall_ns: int) -> list[Member]:
        """Mark those that have given no sign of life for too long; the newly marked."""
        lost = []
        for member in self.by_name.values():
            silent_s = (mono_ns - member.beat_ns) / 1e9
            if member.reachable and silent_s > member.patience_s():
                self._change(member, NodeState.FAILED, f"no heartbeat for {silent_s:.1f} s", wall_ns)
                lost.append(member)
        return lost

    def similar(self, name: str) -> str:
        """Names that the caller may have meant, for an error message."""
        here = sorted(one for one, member in self.by_name.items() if member.reachable)
        close = difflib.get_close_matches(name, here, n=1)
        return f"did you mean {close[0]!r}?" if close else f"here are: {', '.join(here) or 'none'}"

    def records(self) -> list[NodeRecord]:
        return [self.by_name[name].record() for name in sorted(self.by_name)]

    @staticmethod
    def _other_process(known: Member, register: Register) -> bool:
        return (known.register.pid, known.register.epoch) != (register.pid, register.epoch)

    def _change(self, member: Member, state: NodeState, reason: str, wall_ns: int) -> None:
        if (member.state, member.reason) != (state, reason):
            if member.state != state:
                member.since_ns = wall_ns
            member.state, member.reason = state, reason
            self.changes += 1
