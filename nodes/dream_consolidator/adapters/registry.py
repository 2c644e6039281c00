"""Learned weights: a folder under the digest of its weights, a signed record of each, and one index that rules.

    adapters/0123456789abcdef/     a complete model folder, never changed once it is there
    adapters/lineage/<dream>.json  where they come from, signed
    adapters/current.json          the index: every version there was, and what it is now

A version is a `challenger` (on trial beside the champion), the `champion` (in force), `retired` (another took its
place) or `withdrawn` (it failed). No version is named to a worker unless its record verifies. A crash between any two
steps leaves what was before, or what is after: what is repeated then goes on from there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import msgspec

from nodes.dream_consolidator.adapters.index import Moves, State, Version, changed, read, write
from nodes.dream_consolidator.adapters.lineage import LineageBook, Made
from nodes.model_worker import folder as folders
from protocol.errors import BadRequest, ConfigError, SealError
from protocol.messages.dream import Adapter, AdapterCurrent, Challenger, Lineage
from runtime.identity import HostIdentity
from runtime.paths import private_directory, sync_directory
from runtime.sealing import Sealer

PURPOSE = "adapters"
BASE = "base"
"""What the level's own model is called where a digest is expected."""


class Adapters:
    """The learned weights below `root`. Only the consolidator writes."""

    def __init__(self, root: Path, identity: HostIdentity, sealer: Sealer) -> None:
        """Raises ConfigError for an index that cannot be read; one of the format before this is taken over."""
        self.root = private_directory(root)
        self._pointer = self.root / "current.json"
        self.book = LineageBook(self.root / "lineage", identity, sealer)
        self._index = read(self._pointer, self.book)
        self._prune()

    @classmethod
    def load(cls, state_dir: Path) -> Adapters:
        return cls(state_dir / "adapters", HostIdentity.load(state_dir), Sealer.load(state_dir, PURPOSE))

    # What is

    @property
    def versions(self) -> tuple[Version, ...]:
        return self._index.versions

    def current(self, level: str) -> Adapter:
        """What the level answers with; an empty digest is the base model."""
        champion = self.champion(level)
        return champion.adapter if champion else Adapter(level=level)

    def champion(self, level: str) -> Version | None:
        return self._in(level, "champion")

    def challenger(self, level: str) -> Version | None:
        return self._in(level, "challenger")

    def announced(self) -> tuple[AdapterCurrent, list[SealError]]:
        """What to tell the workers: of all that is in force or on trial what verifies, and what is wrong with the rest.

        A level whose champion does not verify answers with its base model.
        """
        adapters, challengers, refused = [], [], []
        for version in self.versions:
            if version.state not in ("champion", "challenger"):
                continue
            try:
                self.book.confirm(version.adapter)
            except SealError as error:
                refused.append(error)
            else:
                if version.state == "champion":
                    adapters.append(version.adapter)
                else:
                    challengers.append(Challenger(adapter=version.adapter, share=version.share))
        return AdapterCurrent(adapters=adapters, challengers=challengers), refused

    def due(self, level: str) -> bool:
        """Whether what the level answers with must be learned anew, without what was forgotten."""
        return any(each.forgotten and each.state in ("champion", "challenger") for each in self._of(level))

    def lineages(self) -> list[Lineage]:
        return [self._lineage(version) for version in self.versions]

    def find(self, which: str) -> Version | None:
        """By the beginning of its dream's name or its digest; the latest of several."""
        return next(
            (each for each in reversed(self.versions) if which and _named(each.adapter, which)),
            None,
        )

    # What changes it

    def admit(self, candidate: Path, level: str, made: Made, *, share: float, now_ns: int) -> Version:
        """Take the candidate folder in: on trial for `share` of conversations, or in force where that is 0.

        The folder is moved; weights known already are not stored twice. Repeated after a crash it goes on from there.
        Raises what `open_folder` raises, and SealError for a record of the same dream that was changed.
        """
        known = next((each for each in self.versions if each.adapter.dream == made.dream), None)
        if known is not None:
            return known
        adapter = self._stored(candidate, level, made)
        champion = self.champion(level)
        # The same weights again cannot be measured against themselves, and what learned from forgotten data must go.
        at_once = champion is not None and (champion.forgotten or champion.adapter.digest == adapter.digest)
        tried = share > 0 and not at_once
        version = Version(
            adapter=adapter,
            state="challenger" if tried else "champion",
            share=share if tried else 0.0,
            since_ns=now_ns,
        )
        moves: Moves = {"challenger": ("withdrawn", "another took its place on trial")}
        if not tried:
            moves["champion"] = ("retired", f"{adapter.digest} took its place")
        self._write((*changed(self.versions, level, moves, now_ns), version))
        return version

    def promote(self, level: str, why: str, now_ns: int) -> Version:
        """The level's challenger takes the champion's place. BadRequest where there is none."""
        challenger = self._challenger(level)
        self.book.confirm(challenger.adapter)
        moves: Moves = {
            "champion": ("retired", f"{challenger.adapter.digest} took its place"),
            "challenger": ("champion", why),
        }
        self._write(changed(self.versions, level, moves, now_ns))
        return self._champion(level)

    def withdraw(self, level: str, why: str, now_ns: int) -> Version:
        """The level's challenger answers no longer. BadRequest where there is none."""
        challenger = self._challenger(level)
        self._write(changed(self.versions, level, {"challenger": ("withdrawn", why)}, now_ns))
        return next(each for each in self.versions if each.adapter == challenger.adapter)

    def roll_back(self, level: str, why: str, now_ns: int, to: str = "") -> Adapter:
        """Put an earlier version in force, and the champion away; what the level answers with then.

        `to`: the beginning of its digest, or `base`; empty: the one before, whatever that is. A challenger goes with
        its champion. BadRequest where there is nothing to go back from or to; SealError where its record was changed.
        """
        champion = self.champion(level)
        target = self._target(level, to)
        if target is None and champion is None:
            raise BadRequest(f"{level} answers with its own model already", place="dream/rollback")
        if target is not None:
            self.book.confirm(target.adapter)
        moves: Moves = {"champion": ("withdrawn", why), "challenger": ("withdrawn", f"with its champion: {why}")}
        versions = changed(self.versions, level, moves, now_ns)
        if target is not None:
            versions = tuple(
                msgspec.structs.replace(each, state="champion", why=why, since_ns=now_ns)
                if each.adapter == target.adapter
                else each
                for each in versions
            )
        self._write(versions)
        return self.current(level)

    def forgotten(self, idents: Collection[str], *, withdraw: bool = False, now_ns: int = 0) -> list[str]:
        """Mark every version that learned from one of these exchanges, or from the answers of one that did.

        The digests newly marked. One whose data nobody wrote down may have learned from anything. `withdraw`: of these,
        those in force or on trial answer no longer. Otherwise they answer until a dream has learned without: `due`.
        """
        gone, marked, tainted = frozenset(idents), [], set[str]()
        versions = list(self.versions)
        for place, version in enumerate(versions):
            if not gone:
                break
            if not (version.forgotten or self._rests_on(version, gone, tainted)):
                continue
            tainted.add(version.adapter.digest)
            if not version.forgotten:
                marked.append(version.adapter.digest)
                versions[place] = msgspec.structs.replace(version, forgotten=True)
        if not marked:
            return []
        levels = {each.adapter.level for each in versions if each.forgotten}
        self._write(tuple(versions))
        for level in levels if withdraw else ():
            self._withdraw_forgotten(level, now_ns)
        return list(dict.fromkeys(marked))

    def _withdraw_forgotten(self, level: str, now_ns: int) -> None:
        why = "it learned from what was forgotten"
        challenger, champion = self.challenger(level), self.champion(level)
        if challenger is not None and challenger.forgotten:
            self.withdraw(level, why, now_ns)
        if champion is not None and champion.forgotten:
            self.roll_back(level, why, now_ns)

    def _rests_on(self, version: Version, gone: frozenset[str], tainted: set[str]) -> bool:
        try:
            record = self.book.read(version.adapter.dream)
            learned = self.book.learned_from(record) if record else None
        except SealError:
            return True
        return record is None or learned is None or bool(learned & gone) or record.parent in tainted

    # The files

    def _stored(self, candidate: Path, level: str, made: Made) -> Adapter:
        """Record and weights on the disk, in this order: weights without a record are nobody's, and are removed."""
        if candidate.exists():
            digest = folders.weights_digest(folders.open_folder(candidate))
        elif (record := self.book.read(made.dream)) is not None:  # it crashed after the folder was moved
            digest = record.digest
        else:
            raise ConfigError("the candidate is gone", place=str(candidate), remedy="remove the dream's folder")
        target = self.root / digest
        adapter = Adapter(
            level=level,
            digest=digest,
            path=str(target),
            base_version=made.base_version,
            dream=made.dream,
            turn=made.verdict.turn if made.verdict else 0,
        )
        if candidate.exists():
            self.book.write(adapter, made)
            if target.exists():
                shutil.rmtree(candidate)
            else:
                _sync(candidate)
                candidate.rename(target)
                sync_directory(self.root)
        if not target.exists():
            raise ConfigError("holds no such weights any more", place=str(target), remedy="let it dream again")
        return adapter

    def _write(self, versions: Sequence[Version]) -> None:
        self._index = write(self._pointer, versions)
        self._prune()

    def _prune(self) -> None:
        """Delete weights that nobody answers with or goes back to. A file that a worker has open outlives this.

        Weights whose record is there and whom the index does not know yet are just being taken in.
        """
        known = {each.adapter.digest for each in self.versions}
        used = {each.adapter.digest for each in self._kept()} | (self.book.digests() - known)
        for folder in self.root.iterdir():
            if folder.is_dir() and folder.name != "lineage" and folder.name not in used:
                shutil.rmtree(folder)

    def _kept(self) -> Iterator[Version]:
        """In force, on trial, and of each level the last retired."""
        retired = set[str]()
        for version in reversed(self.versions):
            if version.state in ("champion", "challenger"):
                yield version
            elif version.state == "retired" and version.adapter.level not in retired:
                retired.add(version.adapter.level)
                yield version

    # Small words

    def _in(self, level: str, state: State) -> Version | None:
        return next((each for each in self._of(level) if each.state == state), None)

    def _of(self, level: str) -> list[Version]:
        return [each for each in self.versions if each.adapter.level == level]

    def _challenger(self, level: str) -> Version:
        found = self.challenger(level)
        if found is None:
            raise BadRequest(f"no weights of {level} are on trial", place="adapters")
        return found

    def _champion(self, level: str) -> Version:
        found = self.champion(level)
        assert found is not None, "it was just promoted"
        return found

    def _target(self, level: str, to: str) -> Version | None:
        """The version to go back to; None for the base model. BadRequest where none answers to the name."""
        if to == BASE:
            return None
        retired = [each for each in reversed(self._of(level)) if each.state == "retired"]
        back = [each for each in retired if Path(each.adapter.path).is_dir()]
        if not to:
            return next((each for each in back if not each.forgotten), None)
        for each in back:
            if each.adapter.digest.startswith(to):
                return each
        there = ", ".join([each.adapter.digest for each in back] + [BASE])
        raise BadRequest(f"{level} cannot go back to {to!r}; there are: {there}", place="dream/rollback: to")

    def _lineage(self, version: Version) -> Lineage:
        shown = Lineage(
            level=version.adapter.level,
            digest=version.adapter.digest,
            dream=version.adapter.dream,
            state=version.state,
            why=version.why,
            since_ns=version.since_ns,
            forgotten=version.forgotten,
            base_version=version.adapter.base_version,
        )
        try:
            record = self.book.confirm(version.adapter)
        except SealError as error:
            return msgspec.structs.replace(shown, why=str(error))
        return msgspec.structs.replace(
            shown,
            parent=record.parent,
            teacher=record.teacher,
            data_digest=record.data_digest,
            examples=record.examples,
            code=record.code,
            settings=record.settings,
            made_ns=record.made_ns,
            signed_by=self.book.signer,
        )


def _named(adapter: Adapter, which: str) -> bool:
    return adapter.dream.startswith(which) or adapter.digest.startswith(which)


def _sync(folder: Path) -> None:
    """Make the folder's files durable before the index names them."""
    for path in (*folder.iterdir(), folder):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
