"""One dream as a folder: what it is to do, how far it got, what came of it. It outlives every process of the dream.

job.json                what to do; nothing anybody said
*.sealed                what anybody said, or what was computed from it token by token
checkpoint.safetensors  where training stands
candidate/              the learned weights, a complete model folder
outcome.json            the end: judged answers without their words
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from nodes.dream_consolidator.selection.select import Material
from nodes.dream_consolidator.settings import Settings
from nodes.dream_consolidator.validation.trial import Trial
from nodes.model_worker.levels import Level
from protocol.errors import ConfigError, SealError
from protocol.messages.dream import Adapter
from runtime.paths import private_directory, write_atomically
from runtime.sealing import Sealer

T = TypeVar("T")

PURPOSE = "dream"
"""What the host's sealing secret is used for in dreams."""
ROUSED = 75
"""Exit status of a training process that was told to stop and can go on later (EX_TEMPFAIL of sysexits.h)."""
AWAY = 69
"""That of one whose teacher was not there (EX_UNAVAILABLE); its last line says why. It can go on later, too."""
RESTS_ON_TEACHER = (
    "teacher.sealed",
    "told.sealed",
    "targets.sealed",
    "own-[0-9]*.sealed",
    "checkpoint.safetensors",
    "trained.json",
    "after.sealed",
)
"""What is of no use where another version teaches from now on."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What the training process is to do."""

    dream: str
    student: Level
    teacher: Level
    champion: Adapter
    """The learned weights in force; an empty digest: none."""
    settings: Settings
    seed: int
    material_ns: int
    """Wall time up to which the store was read."""
    examples: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the training process found. Judging it is the consolidator's."""

    trials: list[Trial]
    base_version: str
    """Digest of the weights that were learned from."""
    taught: int
    rehearsed: int
    refuted: int
    """Lessons dropped because a verifier said that their answer is wrong."""
    too_long: int
    distribution: bool
    """The teacher's distribution was learned; False: only its words, because the tokenizers differ."""
    steps: int
    best_step: int
    """The step whose weights were kept."""
    practised: int = 0
    """Of the steps, those that learned from the student's own answers."""
    parameters: int
    """Trained."""
    teacher_version: str = ""
    """Of everything that decides what the teacher says."""


def leg_of(dream: str, number: int) -> str:
    """The name of a stretch of the dream, the first of which is 1."""
    return f"{dream}/{number}"


class JobFolder:
    """The folder of one dream below `root`."""

    def __init__(self, path: Path, sealer: Sealer) -> None:
        self.path = path
        self._sealer = sealer

    @classmethod
    def create(cls, root: Path, job: Job, material: Material, sealer: Sealer) -> JobFolder:
        """Write a new dream down. `job.json` comes last: a folder without it was never begun."""
        folder = cls(private_directory(root / job.dream), sealer)
        folder.seal("material", material)
        write_atomically(folder.path / "job.json", msgspec.json.encode(job))
        return folder

    @classmethod
    def unfinished(cls, root: Path, sealer: Sealer) -> JobFolder | None:
        """The dream to go on with, if there is one; folders that were never begun are removed."""
        found = None
        for path in sorted(private_directory(root).iterdir()):
            if (path / "job.json").exists():
                found = found or cls(path, sealer)
            else:
                shutil.rmtree(path)
        return found

    @classmethod
    def remove_void(cls, root: Path, sealer: Sealer) -> dict[str, str]:
        """Remove dreams that this program cannot go on with, for they were begun under other settings: name → why.

        What they would have learned from lies in the store; only what was computed is lost.
        """
        void = {}
        for path in sorted(private_directory(root).glob("*/job.json")):
            folder = cls(path.parent, sealer)
            try:
                folder.job()
            except ConfigError as error:
                void[folder.path.name] = error.message
                folder.give_up()
                folder.remove()
        return void

    def job(self) -> Job:
        path = self.path / "job.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=Job)
        except msgspec.DecodeError as error:
            raise ConfigError(f"is no dream: {error}", place=str(path), remedy="remove the folder") from error

    def outcome(self) -> Outcome | None:
        """What came of it; None while it is not over."""
        path = self.path / "outcome.json"
        return msgspec.json.decode(path.read_bytes(), type=Outcome) if path.exists() else None

    def finish(self, outcome: Outcome) -> None:
        write_atomically(self.path / "outcome.json", msgspec.json.encode(outcome))

    def legs(self) -> int:
        """How often the dream was begun or gone on with."""
        return len(list(self.path.glob("leg-*")))

    def begin_leg(self) -> str:
        """Note that the dream is gone on with; a name for this stretch of it, which nothing else has."""
        leg = self.legs() + 1
        (self.path / f"leg-{leg}").touch(mode=0o600)
        return leg_of(self.path.name, leg)

    def seal(self, name: str, value: Any) -> None:
        self.seal_bytes(name, msgspec.msgpack.encode(value))

    def unseal(self, name: str, type_: type[T]) -> T | None:
        """What was sealed under the name; None where nothing was. Raises `SealError` where it was changed."""
        data = self.unseal_bytes(name)
        if data is None:
            return None
        try:
            return msgspec.msgpack.decode(data, type=type_)
        except msgspec.DecodeError as error:
            raise SealError(f"holds something else: {error}", place=str(self._file(name))) from error

    def seal_bytes(self, name: str, data: bytes) -> None:
        write_atomically(self._file(name), self._sealer.seal(data, self._context(name)))

    def unseal_bytes(self, name: str) -> bytes | None:
        try:
            sealed = self._file(name).read_bytes()
        except FileNotFoundError:
            return None
        return self._sealer.open(sealed, self._context(name))

    def taught_by(self, version: str) -> bool:
        """Whether this version taught in all of the dream so far; noted where none did.

        Where another did, all that rests on it is dropped, and the note last.
        """
        known = self.unseal("teacher", str)
        if known is None:
            self.seal("teacher", version)
        elif known != version:
            for pattern in reversed(RESTS_ON_TEACHER):
                for file in self.path.glob(pattern):
                    file.unlink()
        return known in (None, version)

    def material(self) -> Material:
        material = self.unseal("material", Material)
        if material is None:
            raise ConfigError("lacks its material", place=str(self.path), remedy="remove the folder")
        return material

    @property
    def candidate(self) -> Path:
        return self.path / "candidate"

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint.safetensors"

    def give_up(self) -> None:
        """Have the dream never gone on with: `unfinished` takes it for one that was never begun, and removes it."""
        (self.path / "job.json").unlink()

    @property
    def given_up(self) -> bool:
        return not (self.path / "job.json").exists()

    def remove(self) -> None:
        shutil.rmtree(self.path)

    def _file(self, name: str) -> Path:
        return self.path / f"{name}.sealed"

    def _context(self, name: str) -> bytes:
        return f"dream/job/{self.path.name}/{name}".encode()
