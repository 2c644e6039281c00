"""One exchange while it is under way: its stages, its notes, and the pieces of the answer given out so far."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from protocol.messages.audio import Stage
from protocol.messages.context import Classified
from protocol.messages.dialogue import Ask, ReplyPart

NODE = "dialogue"
GivePart = Callable[[ReplyPart], Awaitable[None]]


@dataclass
class StageUnderWay:
    detail: str = ""


@dataclass
class Exchange:
    ask: Ask
    ident: str
    trace: bytes
    give: GivePart
    """Hands a piece of the answer to the asker and to the world."""
    mono_ns: Callable[[], int]
    deadline_ns: int
    stages: list[Stage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What did not go as it should, in words, for the answer's `why`."""
    classified: Classified | None = None
    staked: float = 0.0
    """ATP held for it; 0 where none was."""
    begun_ns: int = 0
    _index: int = 0
    _said: list[str] = field(default_factory=list)
    _withdrawn: bool = False

    def __post_init__(self) -> None:
        self.begun_ns = self.mono_ns()
        self.stages.extend(self.ask.stages)

    @property
    def remaining_s(self) -> float:
        return (self.deadline_ns - self.mono_ns()) / 1e9

    @property
    def said(self) -> str:
        """What has been given out and not withdrawn."""
        return "".join(self._said)

    @property
    def parts(self) -> int:
        return self._index

    @contextmanager
    def stage(self, name: str) -> Iterator[StageUnderWay]:
        """Measure a stage, also one that fails."""
        start_ns = self.mono_ns()
        under_way = StageUnderWay()
        try:
            yield under_way
        finally:
            seconds = (self.mono_ns() - start_ns) / 1e9
            self.stages.append(Stage(name=name, node=NODE, start_ns=start_ns, seconds=seconds, detail=under_way.detail))

    async def say(self, text: str, level: str = "") -> None:
        """Give out a piece. The first is also a stage: how long the asker waited for it."""
        text = text if self._said else text.lstrip()
        if not text:
            return
        if not self._index:
            self._mark_first()
        part = ReplyPart(
            exchange=self.ident,
            session=self.ask.session,
            index=self._index,
            text=text,
            level=level,
            restart=self._withdrawn,
            speak=self.ask.speak,
        )
        self._index += 1
        self._withdrawn = False
        self._said.append(text)
        await self.give(part)

    def withdraw(self) -> None:
        """What was given out does not hold: the next piece begins anew."""
        self._withdrawn = self._withdrawn or bool(self._said)
        self._said.clear()

    def _mark_first(self) -> None:
        start_ns = self.ask.utterance_end_ns or self.begun_ns
        since = "the end of speech" if self.ask.utterance_end_ns else "the question"
        seconds = (self.mono_ns() - start_ns) / 1e9
        self.stages.append(
            Stage(name="first_part", node=NODE, start_ns=start_ns, seconds=seconds, detail=f"since {since}")
        )
