"""Where learned weights come from: one signed record for each dream that left some.

    adapters/lineage/<dream>.json   {"record": {...}, "signed_by": "lct:…", "signature": "…"}

The signature is the host's (Ed25519), over the record's bytes as they lie there, so that a record which a later version
wrote with more in it still verifies. The exchanges that were learned from are listed, sealed: forgetting one must find
every version that learned from it, also long after its weights are gone.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from protocol.errors import SealError
from protocol.messages.dream import Adapter, DreamCompleted
from runtime.paths import private_directory, sync_directory, write_atomically

if TYPE_CHECKING:
    from runtime.identity import HostIdentity
    from runtime.sealing import Sealer

_STATEMENT = b"sage adapter lineage\n"
"""Before what is signed, so that the signature means nothing elsewhere."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What is signed of one version."""

    format: Literal[1] = 1
    level: str
    digest: str
    dream: str
    base_version: str
    parent: str
    """Digest of the weights in force then, whose answers were rehearsed; empty: the base model's."""
    teacher: str = ""
    data_digest: str = ""
    """Of the names of all exchanges learned from; empty where they are not known."""
    examples: int = 0
    learned_from: bytes = b""
    """Those names, sealed; empty where they are not known."""
    code: str = ""
    settings: str = ""
    """Digest of the configuration it was learned under."""
    verdict: DreamCompleted | None = None
    made_ns: int


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What the dreamer knows of new weights beside the weights."""

    dream: str
    base_version: str
    parent: str = ""
    teacher: str = ""
    exchanges: Sequence[str] = ()
    settings: str = ""
    verdict: DreamCompleted | None = None
    made_ns: int = 0


class _Signed(msgspec.Struct, frozen=True):
    record: msgspec.Raw
    signed_by: str
    signature: str
    """Base64."""


class LineageBook:
    """The records below `root`, signed and verified as this host."""

    def __init__(self, root: Path, identity: HostIdentity, sealer: Sealer) -> None:
        self._root = private_directory(root)
        self._identity = identity
        self._sealer = sealer

    @property
    def signer(self) -> str:
        return self._identity.lct.id

    def found(self, made: Sequence[tuple[Adapter, Made]]) -> bool:
        """Begin the book with records of these, all or none; whether it holds exactly them afterwards.

        It does not where it held others before. Repeated after a crash it is as if done once.
        """
        if next(self._root.glob("*.json"), None) is None:
            beside = private_directory(self._root.with_name(f".{self._root.name}"))
            for adapter, each in made:
                LineageBook(beside, self._identity, self._sealer).write(adapter, each)
            beside.replace(self._root)
            sync_directory(self._root.parent)
        return {path.stem for path in self._root.glob("*.json")} == {each.dream for _, each in made} and all(
            self.vouches(adapter) for adapter, _ in made
        )

    def vouches(self, adapter: Adapter) -> bool:
        try:
            self.confirm(adapter)
        except SealError:
            return False
        return True

    def write(self, adapter: Adapter, made: Made) -> Record:
        """Sign and store the record of the weights; one of the same dream is replaced."""
        record = Record(
            level=adapter.level,
            digest=adapter.digest,
            dream=made.dream,
            base_version=made.base_version,
            parent=made.parent,
            teacher=made.teacher,
            data_digest=data_digest(made.exchanges),
            examples=len(made.exchanges),
            learned_from=self._sealed(made),
            code=code_version(),
            settings=made.settings,
            verdict=made.verdict,
            made_ns=made.made_ns,
        )
        data = msgspec.json.encode(record)
        signature = base64.b64encode(self._identity.sign(_STATEMENT + data)).decode()
        signed = _Signed(msgspec.Raw(data), self.signer, signature)
        write_atomically(self._path(made.dream), msgspec.json.encode(signed))
        return record

    def read(self, dream: str) -> Record | None:
        """The record of a dream's weights; None where there is none. SealError for one this host did not sign so."""
        path = self._path(dream)
        try:
            signed = msgspec.json.decode(path.read_bytes(), type=_Signed)
            self._identity.verify(_STATEMENT + bytes(signed.record), base64.b64decode(signed.signature, validate=True))
            record = msgspec.json.decode(signed.record, type=Record)
        except FileNotFoundError:
            return None
        except (SealError, ValueError) as error:  # a DecodeError and what base64 raises are ValueErrors
            raise SealError(
                f"the record of learned weights is not as this host signed it: {error}",
                place=str(path),
                remedy="restore it from a backup; until then the weights it speaks of are not put in force",
            ) from error
        if record.dream != dream:
            raise SealError(f"the record is of dream {record.dream}, not {dream}", place=str(path), remedy="restore it")
        return record

    def confirm(self, adapter: Adapter) -> Record:
        """The record that vouches for the weights. SealError where none does."""
        record = self.read(adapter.dream)
        if record is None or (record.digest, record.level) != (adapter.digest, adapter.level):
            said = "there is none" if record is None else f"it is of {record.level}'s {record.digest}"
            raise SealError(
                f"no record vouches for weights {adapter.digest} of {adapter.level}: {said}",
                place=str(self._path(adapter.dream)),
                remedy="restore the record from a backup, or let a dream learn them anew",
            )
        return record

    def learned_from(self, record: Record) -> frozenset[str] | None:
        """The exchanges it learned from; None where nobody wrote them down."""
        if not record.learned_from:
            return None
        return frozenset(
            msgspec.msgpack.decode(self._sealer.open(record.learned_from, _context(record.dream)), type=list[str])
        )

    def digests(self) -> set[str]:
        """Of the weights of all records that verify."""
        found = set()
        for path in self._root.glob("*.json"):
            try:
                record = self.read(path.stem)
            except SealError:
                continue
            if record is not None:
                found.add(record.digest)
        return found

    def _sealed(self, made: Made) -> bytes:
        if not made.exchanges:
            return b""
        return self._sealer.seal(msgspec.msgpack.encode(sorted(set(made.exchanges))), _context(made.dream))

    def _path(self, dream: str) -> Path:
        return self._root / f"{dream}.json"


def data_digest(exchanges: Sequence[str]) -> str:
    """One digest of the names, whatever their order; empty for none."""
    if not exchanges:
        return ""
    return hashlib.sha256("\n".join(sorted(set(exchanges))).encode()).hexdigest()[:16]


def settings_digest(settings: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(settings, order="deterministic")).hexdigest()[:16]


@cache
def code_version() -> str:
    """Version of the package, and a digest of the source that trains and rules."""
    total = hashlib.sha256()
    room = Path(__file__).resolve().parent.parent
    for path in sorted((*room.glob("distiller/*.py"), *room.glob("validation/*.py"))):
        total.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    try:
        version = metadata.version("sage-runtime")
    except metadata.PackageNotFoundError:
        version = "unknown"
    return f"{version} {total.hexdigest()[:16]}"


def _context(dream: str) -> bytes:
    return f"dream/lineage/{dream}".encode()
