"""The last value of every retained topic and source, for whoever comes late. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from protocol.header import Envelope
from protocol.messages.hub import Retained
from runtime.bus.sequences import reborn

_VALUES_LIMIT = 4096


@dataclass
class _Value:
    epoch: int
    seq: int
    mono_ns: int
    retained: Retained

    def outlives(self, envelope: Envelope) -> bool:
        """Whether it was said after `envelope`, in this boot of the source or a later one."""
        if self.epoch == envelope.epoch:
            return self.seq > envelope.seq
        return not reborn(envelope.epoch, envelope.mono_ns, self.epoch, self.mono_ns)


@dataclass
class RetainedValues:
    _values: dict[tuple[str, str, str], _Value] = field(default_factory=dict)
    superseded: int = 0
    """Values that came after a newer one."""
    refused: int = 0
    """Values of new topics and sources past the limit."""

    def put(self, envelope: Envelope, frame: bytes) -> bool:
        """Keep a value unless a newer one of the same topic and source is held; whether it is kept."""
        key = (envelope.name, envelope.host, envelope.source)
        held = self._values.get(key)
        if held is not None and held.outlives(envelope):
            self.superseded += 1
            return False
        if held is None and len(self._values) >= _VALUES_LIMIT:
            self.refused += 1
            return False
        retained = Retained(topic=envelope.name, frame=frame)
        self._values[key] = _Value(envelope.epoch, envelope.seq, envelope.mono_ns, retained)
        return True

    def under(self, prefixes: list[str]) -> list[Retained]:
        """The values of the topics under `prefixes`; an empty prefix means all."""
        return [
            value.retained
            for (topic, _, _), value in sorted(self._values.items(), key=lambda item: item[0])
            if any(_under(topic, prefix) for prefix in prefixes)
        ]

    def stats(self) -> dict[str, float]:
        return {"held": len(self._values), "superseded": self.superseded, "refused": self.refused}


def _under(topic: str, prefix: str) -> bool:
    return prefix == "" or f"{topic}/".startswith(prefix if prefix.endswith("/") else f"{prefix}/")
