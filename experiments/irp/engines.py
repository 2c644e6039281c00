"""The three levels in this process, as a system that the plugin can ask. Imports torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from nodes.dialogue.calibration import Calibration, signs_of
from nodes.dialogue.irp.state import Reply
from nodes.model_worker import levels as level_files
from nodes.model_worker.engine import Engine
from protocol.messages.model import ChatMessage, Generate, Generated


class Engines:
    """`nodes.dialogue.irp.port.Port`. Asked for no level, the smallest answers: a cascade begins there."""

    def __init__(self, calibrations: Mapping[str, Calibration]) -> None:
        """`calibrations`: level → from the signs in its answer to the chance that it is right; it may lack some."""
        self._engines = {level.name: Engine(level) for level in level_files.load().levels}
        self.levels = tuple(self._engines)
        self.calibrations = dict(calibrations)
        self.asked: Counter[str] = Counter()
        self._said: dict[str, list[ChatMessage]] = {}

    def ask(
        self,
        text: str,
        *,
        conversation: str,
        before: Sequence[ChatMessage],
        level: str,
        within_s: float,
        cancelled: Callable[[], bool],
    ) -> Reply:
        name = level or self.levels[0]
        said = self._said.setdefault(conversation, list(before))
        said.append(ChatMessage(role="user", content=text))
        generated = self.generate(name, said)
        said.append(ChatMessage(role="assistant", content=generated.text.strip()))
        self.asked[name] += 1
        return Reply(generated.text.strip(), self.confidence(name, generated), name)

    def forget(self, conversations: Sequence[str]) -> None:
        for name in conversations:
            self._said.pop(name, None)

    def generate(self, level: str, messages: Sequence[ChatMessage]) -> Generated:
        """A greedy answer, by nothing that was kept of another."""
        return self._engines[level].generate(Generate(messages=list(messages)))

    def confidence(self, level: str, generated: Generated) -> float:
        """Calibrated where that is known, else as the worker says."""
        signs, calibration = signs_of(generated), self.calibrations.get(level)
        return generated.confidence if signs is None or calibration is None else calibration.confidence(signs)

    @property
    def versions(self) -> dict[str, str]:
        return {name: engine.info().version for name, engine in self._engines.items()}

    def close(self) -> None:
        for engine in self._engines.values():
            engine.close()
