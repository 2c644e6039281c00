"""How long a conversation a level can hold on this machine: what `sage kv limit` says."""

from dataclasses import asdict, dataclass
from typing import Any

from nodes.model_worker import loading
from nodes.model_worker.engine import Engine
from nodes.model_worker.levels import Level
from nodes.model_worker.memory import HEADROOM
from protocol.messages.model import Generate


@dataclass(frozen=True)
class Limit:
    level: str
    tokens: int
    """Question and answer together."""
    set_by: str
    """`memory`, `level` (its `context` in the levels file) or `model` (what it was made for)."""
    free_bytes: int
    bytes_per_token: int
    seconds: float | None = None
    """To the first token of an answer at that length, where it was tried."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        tried = "" if self.seconds is None else f"; tried: {self.seconds:.1f} s to the first token"
        return (
            f"{self.level}: {self.tokens} tokens, set by the {self.set_by} "
            f"({self.bytes_per_token} bytes a token, {self.free_bytes >> 20} MiB free){tried}"
        )


def find(level: Level, *, tried: bool) -> Limit:
    """Load the level's model and weigh it against the memory there is. Raises the errors of loading and answering."""
    engine = Engine(level)
    try:
        model = engine.load()
        free = loading.free_bytes(model.device)
        fits = model.needs.longest(free - HEADROOM, held=0, capacity=0, limit=1 << 30)
        tokens = min(fits, model.context)
        set_by = "memory" if fits < model.context else "level" if model.context == level.context else "model"
        seconds = None
        if tried:
            generated = engine.generate(Generate(ids=[1] * (tokens - 1), max_new_tokens=1))
            seconds = sum(generated.seconds.values())
        return Limit(level.name, tokens, set_by, free, model.state.per_token, seconds)
    finally:
        engine.unload()
