"""The patterns in force: those of the file and those that were learned, read again whenever either changes.

What cannot be meant never comes into force: the patterns before it stay, and `problem` says what is wrong and where. A
learned pattern that no longer goes with the file, because it says otherwise to the same words, is set aside and named.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nodes.dialogue.patterns import pattern as reading
from nodes.dialogue.patterns.accepted import Accepted, AcceptedPatterns
from nodes.dialogue.patterns.pattern import Pattern, PatternFile, Patterns
from protocol.errors import ConfigError
from runtime import paths

Signature = tuple[object, ...]


class InForce:
    """Slow: call `refresh` off the event loop."""

    def __init__(self, path: Path | str, accepted: AcceptedPatterns) -> None:
        """Raises `ConfigError` where the file cannot be meant: there are no patterns yet that could stay in force."""
        self.path = path
        self.problem = ""
        """Why what was read last is not in force, or not all of it."""
        self.reads, self.refused = 0, 0
        self._accepted = accepted
        self._seen = self._signature()
        self.file = reading.read(path)
        self.learned: tuple[Accepted, ...] = ()
        self.patterns = self._joined(self.file)
        self.reads = 1

    def refresh(self) -> bool:
        """Read again what has changed; whether `patterns` or `problem` are others now."""
        seen = self._signature()
        if seen == self._seen:
            return False
        self._seen = seen
        before = (self.patterns, self.problem)
        try:
            file = reading.read(self.path)
        except ConfigError as error:
            self.refused += 1
            self.problem = f"the patterns read before stay in force: {error}"
        else:
            self.file = file
            self.patterns = self._joined(file)
            self.reads += 1
        return (self.patterns, self.problem) != before

    def stats(self) -> dict[str, float]:
        return {
            "patterns": len(self.patterns.patterns),
            "learned": len(self.learned),
            "reads": self.reads,
            "refused": self.refused,
            "ailing": float(bool(self.problem)),
        }

    def _joined(self, file: PatternFile) -> Patterns:
        found, problems = self._accepted.read()
        learned: list[Accepted] = []
        try:
            patterns = Patterns.of(file, [each.pattern for each in found])
            learned = found
        except ValueError:  # at least one does not go with the others: those that do are found one by one
            patterns = Patterns.of(file)
            for each in found:
                try:
                    patterns = Patterns.of(file, _patterns([*learned, each]))
                    learned.append(each)
                except ValueError:
                    # Not the reason as it is: it quotes what somebody said, and this goes into logs and heartbeats.
                    name = each.pattern.name
                    problems.append(
                        f"{name} is set aside: another pattern answers the same words; `sage patterns remove {name}`"
                    )
        self.learned = tuple(learned)
        self.problem = "; ".join(problems)
        return patterns

    def _signature(self) -> Signature:
        try:
            at = paths.located(self.path)
            found = at.stat()
            file: Signature = (str(at), found.st_mtime_ns, found.st_size, found.st_ino)
        except (OSError, ConfigError):
            file = ("gone",)
        return (file, self._accepted.signature())


def _patterns(accepted: Sequence[Accepted]) -> list[Pattern]:
    return [each.pattern for each in accepted]
