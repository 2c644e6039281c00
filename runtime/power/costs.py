"""What work costs on this machine, as `sage calibrate` measured it: one file in the state directory.

    costs.json   written by `sage calibrate`, read by whoever must know beforehand what an answer will cost

Values are means over repetitions; the file says by which sensor, when, and for which version of the model.
"""

from __future__ import annotations

import math
from pathlib import Path

import msgspec

from protocol.errors import SageError
from runtime.paths import write_atomically

FILE = "costs.json"
SCHEMA = 2
"""From 2 on with what starting a process takes."""


class CostsError(SageError):
    """A costs file that cannot be used."""

    code = "power.costs"


class Cost(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    cpu_s: float
    """Processor seconds."""
    joules: float = 0.0
    """By the source that is named; 0 where that is `cpu`."""
    seconds: float = 0.0
    """By the clock."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} is {value}, which is no cost")

    def times(self, count: float) -> Cost:
        return Cost(cpu_s=self.cpu_s * count, joules=self.joules * count, seconds=self.seconds * count)

    def plus(self, other: Cost) -> Cost:
        return Cost(
            cpu_s=self.cpu_s + other.cpu_s, joules=self.joules + other.joules, seconds=self.seconds + other.seconds
        )


class LevelCosts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    model: str
    version: str
    device: str
    source: str
    """What measured the joules: `ina`, `nvml`, `rapl`; or `cpu`: nothing did, and processor seconds speak."""
    measured_ns: int
    """Wall time."""
    load: Cost
    start: Cost = Cost(cpu_s=0.0)
    """Of starting a worker's process, beside the load: the interpreter, and what it imports."""
    answer: Cost
    """Of every answer, however short."""
    prefill: Cost
    """Of 1,000 tokens computed before the first token of an answer."""
    decode: Cost
    """Of 1,000 tokens of answers."""
    characters_per_token: float
    """Of the text it was measured with."""
    max_new_tokens: int
    """Longest answer, unless a request says otherwise."""
    repetitions: int = 1

    def __post_init__(self) -> None:
        if not (math.isfinite(self.characters_per_token) and self.characters_per_token > 0):
            raise ValueError(f"characters_per_token is {self.characters_per_token}")

    @property
    def parts(self) -> tuple[Cost, ...]:
        """A start, a load, an answer, 1,000 tokens read, 1,000 said."""
        return self.start, self.load, self.answer, self.prefill, self.decode

    def of_answer(self, characters: int, new_tokens: int = 0) -> Cost:
        """What an answer costs at most: all of a conversation computed, and `new_tokens` said (0: all it may)."""
        computed = self.prefill.times(characters / self.characters_per_token / 1000)
        said = self.decode.times((new_tokens or self.max_new_tokens) / 1000)
        return self.answer.plus(computed).plus(said)


class Costs(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    schema: int = SCHEMA
    levels: dict[str, LevelCosts] = {}


def load(path: Path) -> Costs:
    """The file at `path`; nothing in it where there is no file. Raises CostsError for one that cannot be used."""
    try:
        written = path.read_bytes()
    except FileNotFoundError:
        return Costs()
    except OSError as error:
        raise CostsError(f"cannot be read: {error.strerror}", place=str(path)) from error
    try:
        schema = msgspec.json.decode(written, type=_Version).schema
        if schema > SCHEMA:
            raise CostsError(
                f"was written by a newer program (form {schema}, this one knows {SCHEMA})",
                place=str(path),
                remedy="upgrade this program, or run `sage calibrate` again",
            )
        return msgspec.json.decode(written, type=Costs)
    except msgspec.MsgspecError as error:
        raise CostsError(
            f"is not what `sage calibrate` writes: {error}", place=str(path), remedy="run `sage calibrate` again"
        ) from error


def save(path: Path, costs: Costs) -> None:
    """Replace the file, whole or not at all. Raises CostsError."""
    try:
        write_atomically(path, msgspec.json.format(msgspec.json.encode(costs), indent=2) + b"\n")
    except OSError as error:
        raise CostsError(f"cannot be written: {error.strerror}", place=str(path)) from error


class CostsFile:
    """The costs as they stand, read again when the file has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._costs = Costs()
        self.problem = ""
        """Why the file cannot be used; empty where it can, or where there is none."""

    def level(self, name: str) -> LevelCosts | None:
        self._look()
        return self._costs.levels.get(name)

    def _look(self) -> None:
        try:
            state = self._path.stat()
            seen = (state.st_ino, state.st_size, state.st_mtime_ns)
        except OSError:
            seen = None
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._costs, self.problem = load(self._path), ""
        except CostsError as error:
            self._costs, self.problem = Costs(), str(error)


class _Version(msgspec.Struct):
    schema: int
