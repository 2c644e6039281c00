"""Children in virtual time, for tests."""

from typing import Any

from runtime.launch.plan import Process
from runtime.launch.spec import Backoff, Intensity
from runtime.supervisor.child import Action, Child, Due, Event, Exited, Said, Spawned, Start, step

PID = 100


def process(name: str = "node", **changes: Any) -> Process:
    """A process of a plan; what is not given is plain."""
    given: dict[str, Any] = {
        "argv": ("run",),
        "environment": {},
        "after": {},
        "notify": True,
        "start": 30.0,
        "liveness": 10.0,
        "restart": "on-failure",
        "backoff": Backoff(first=1.0, factor=2.0, cap=5.0, jitter=0.0),
        "intensity": Intensity(restarts=3, within=60.0),
        "escalation": "node",
        "stop_grace": 3.0,
        "memory": None,
        "nice": 0,
        "place": "a.yaml:1",
    }
    return Process(name=name, **{**given, **changes})


class Life:
    """One child and a clock that stands still until it is moved. `done` are the actions asked for, with their times."""

    def __init__(self, chance: float = 0.5, **changes: Any) -> None:
        self.child = Child(process=process(**changes))
        self.now = 0.0
        self.chance = chance
        self.done: list[tuple[float, Action]] = []
        self._pids = iter(range(PID, PID + 1000))

    def happens(self, *events: Event) -> "Life":
        for event in events:
            self.child, actions = step(self.child, event, self.now, self.chance)
            for action in actions:
                self.done.append((self.now, action))
                if action == "spawn":
                    self.child, _ = step(self.child, Spawned(next(self._pids)), self.now, self.chance)
        return self

    def passes(self, seconds: float) -> "Life":
        """Time passes; each deadline on the way is told as it comes."""
        end = self.now + seconds
        while self.child.deadline is not None and self.child.deadline <= end:
            self.now = max(self.now, self.child.deadline)
            self.happens(Due())
        self.now = end
        return self

    def says(self, **fields: str) -> "Life":
        return self.happens(Said(fields))

    def ready(self) -> "Life":
        """Started, and ready at once."""
        return self.happens(Start()).says(READY="1")

    def fails(self, status: int = 1) -> "Life":
        return self.happens(Exited(status))

    @property
    def phase(self) -> str:
        return self.child.phase

    @property
    def actions(self) -> list[Action]:
        return [action for _, action in self.done]
