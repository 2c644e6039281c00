"""Patterns that were learned and accepted: each in a sealed file of its own, a new file for every version of it.

patterns/learned-1f3a….2.pattern      the second version; the one with the highest number is in force
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from nodes.dialogue.patterns.pattern import Pattern, Patterns
from nodes.dialogue.store import Seal
from protocol.errors import SealError
from runtime.paths import private_directory, write_atomically

FOLDER = "patterns"
_FILE = re.compile(r"(learned-[0-9a-f]+)\.(\d+)\.pattern")
_AROUND = ("{} and why", "i said {}", "do not {}", "{} or not", "translate {}", "{} tom")
"""Sentences that hold a phrase and ask something else."""


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """A learned pattern, who accepted it, and what it rests on."""

    pattern: Pattern
    version: int
    by: str
    """A person's name, or `rule`."""
    at_ns: int
    grounds: str
    """What had been shown of it, in words."""


class AcceptedPatterns:
    def __init__(self, folder: Path, sealer: Seal) -> None:
        self._folder = folder
        self._sealer = sealer

    def put(self, pattern: Pattern, *, by: str, at_ns: int, grounds: str) -> Accepted:
        """Write it down as the next version of its name."""
        private_directory(self._folder)
        version = 1 + max((version for name, version, _ in self._files() if name == pattern.name), default=0)
        accepted = Accepted(pattern=pattern, version=version, by=by, at_ns=at_ns, grounds=grounds)
        sealed = self._sealer.seal(msgspec.msgpack.encode(accepted), _place(pattern.name, version))
        write_atomically(self._folder / f"{pattern.name}.{version}.pattern", sealed)
        return accepted

    def remove(self, name: str) -> int:
        """Delete every version; how many there were."""
        files = [path for known, _, path in self._files() if known == name]
        for path in files:
            path.unlink()
        return len(files)

    def read(self) -> tuple[list[Accepted], list[str]]:
        """The versions in force, and what is wrong with those that cannot be read."""
        latest: dict[str, tuple[int, Path]] = {}
        for name, version, path in self._files():
            latest[name] = max(latest.get(name, (0, path)), (version, path))
        found: list[Accepted] = []
        problems: list[str] = []
        for name, (version, path) in sorted(latest.items()):
            try:
                plain = self._sealer.open(path.read_bytes(), _place(name, version))
                found.append(msgspec.msgpack.decode(plain, type=Accepted))
            except (OSError, SealError, msgspec.MsgspecError) as error:
                problems.append(f"{path}: {error}; `sage patterns remove {name}` forgets it")
        return found, problems

    def signature(self) -> tuple[tuple[str, int], ...]:
        """Changes whenever a file comes, goes or is written."""
        return tuple(sorted((path.name, path.stat().st_mtime_ns) for _, _, path in self._files()))

    def _files(self) -> Iterator[tuple[str, int, Path]]:
        if not self._folder.is_dir():
            return
        for path in list(self._folder.iterdir()):
            if found := _FILE.fullmatch(path.name):
                yield found[1], int(found[2]), path


def pattern_of(name: str, question: str, answer: str, known: Patterns) -> Pattern:
    """A pattern of one phrase, with examples made of it. ValueError where the question cannot be a phrase.

    The negative examples are what must not be taken for it; those that another pattern answers already say nothing.
    """
    around = [frame.format(question) for frame in _AROUND]
    pieces = question.split()
    shorter = [" ".join(pieces[1:]), " ".join(pieces[:-1])] if len(pieces) > 1 else []
    return Pattern(
        name=name,
        phrases=(question,),
        answer=answer.replace("{", "{{").replace("}", "}}"),
        heard=False,
        positive=(question, question.upper(), f"{question.capitalize()}?", f"  {question}."),
        negative=tuple(each for each in (*around, *shorter, f"{question}()") if known.match(each) is None),
    )


def _place(name: str, version: int) -> bytes:
    return f"dialogue/pattern/{name}/{version}".encode()
