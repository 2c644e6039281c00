"""Which calls are under way between whom. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Route:
    caller: bytes
    callee: bytes
    target: str
    service: str
    deadline_ns: int


@dataclass
class Calls:
    """Open calls by id. Every one leaves by its answer, by a cancel, by somebody's death, or by its deadline."""

    _open: dict[bytes, Route] = field(default_factory=dict)

    def open(self, ident: bytes, route: Route) -> bool:
        """Enter a call; False where the id is in use already."""
        return self._open.setdefault(ident, route) is route

    def answered_by(self, ident: bytes, sender: bytes) -> Route | None:
        """The call that `sender` may answer under this id."""
        route = self._open.get(ident)
        return route if route is not None and route.callee == sender else None

    def steered_by(self, ident: bytes, sender: bytes) -> Route | None:
        """The call that `sender` may cancel, or give credit to."""
        route = self._open.get(ident)
        return route if route is not None and route.caller == sender else None

    def close(self, ident: bytes) -> None:
        self._open.pop(ident, None)

    def close_with(self, peer: bytes) -> list[tuple[bytes, Route]]:
        """Take out and return every call that this peer makes or answers: it is gone."""
        return self._take_out(lambda route: peer in (route.caller, route.callee))

    def close_expired(self, now_ns: int) -> list[tuple[bytes, Route]]:
        """Take out and return every call past its deadline: its caller has given it up, or is gone."""
        return self._take_out(lambda route: route.deadline_ns < now_ns)

    def __len__(self) -> int:
        return len(self._open)

    def _take_out(self, wanted: Callable[[Route], bool]) -> list[tuple[bytes, Route]]:
        taken = [(ident, route) for ident, route in self._open.items() if wanted(route)]
        for ident, _ in taken:
            del self._open[ident]
        return taken
