"""Who this host is. One key file, made on the first run; everything that signs or seals starts from it.

The file `host.key` in the state directory is readable by its owner alone. It holds two independent secrets: the Ed25519
key that signs in the host's name, and the secret from which sealing keys are derived (`runtime.sealing`).
"""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from protocol.errors import NotPermitted, SealError
from protocol.lct import Attestation, Lct, Subject, lct_id, statement_bytes
from runtime.clock import Clock
from runtime.paths import make_once

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_FILE = "host.key"


_SECRET_BYTES = 32
_Secret = Annotated[bytes, msgspec.Meta(min_length=_SECRET_BYTES, max_length=_SECRET_BYTES)]


class _KeyFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: Literal[1]
    host: str
    created_ns: int
    signing: _Secret
    sealing: _Secret


class HostIdentity:
    """The host's name, its linked context token, and its hand for signing."""

    def __init__(self, *, name: str, created_ns: int, signing: bytes, sealing: bytes) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self.name = name
        self.sealing_secret = sealing
        self._private: Ed25519PrivateKey = Ed25519PrivateKey.from_private_bytes(signing)
        self.public_key = self._private.public_key().public_bytes_raw()
        self.lct = self._own_lct(created_ns)

    @classmethod
    def load(cls, state_dir: Path, clock: Clock | None = None) -> HostIdentity:
        """The identity kept in `state_dir`, made there on the first run, however many processes ask at once.

        Raises `NotPermitted` where others may read the key file, `SealError` where it is not a key file.
        """
        path = state_dir / KEY_FILE
        if not path.exists():
            _make_key_file(path, clock or Clock())
        keys = _read_key_file(path)
        return cls(name=keys.host, created_ns=keys.created_ns, signing=keys.signing, sealing=keys.sealing)

    def sign(self, message: bytes) -> bytes:
        """Ed25519 signature, 64 bytes."""
        return self._private.sign(message)

    def verify(self, message: bytes, signature: bytes) -> None:
        """Raises `SealError` unless `signature` is this host's over `message`."""
        verify(self.public_key, message, signature)

    def _own_lct(self, created_ns: int) -> Lct:
        ident = lct_id("host", self.name, self.public_key)
        statement = "this key speaks for this host"
        signature = self.sign(statement_bytes(ident, statement, created_ns))
        return Lct(
            id=ident,
            subject=Subject(kind="host", name=self.name),
            binding=self.public_key,
            created_ns=created_ns,
            attestations=[Attestation(by=ident, statement=statement, wall_ns=created_ns, signature=signature)],
        )


def host_name() -> str:
    """The name messages carry as their host: $SAGE_HOST, else the machine's own short name."""
    return os.environ.get("SAGE_HOST") or socket.gethostname().split(".")[0] or "host"


def verify(public_key: bytes, message: bytes, signature: bytes) -> None:
    """Raises `SealError` unless `signature` was made over `message` by the owner of `public_key` (32 raw bytes)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise SealError("the signature does not belong to this message and key") from error


def _make_key_file(path: Path, clock: Clock) -> None:
    """Write a fresh key file unless another process was first."""
    keys = _KeyFile(
        version=1,
        host=host_name(),
        created_ns=clock.wall_ns(),
        signing=os.urandom(_SECRET_BYTES),
        sealing=os.urandom(_SECRET_BYTES),
    )
    make_once(path, msgspec.json.encode(keys))


def _read_key_file(path: Path) -> _KeyFile:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise NotPermitted(
            f"the key file is open to others (mode {mode:04o})", place=str(path), remedy=f"chmod 600 {path}"
        )
    try:
        return msgspec.json.decode(path.read_bytes(), type=_KeyFile)
    except msgspec.DecodeError as error:
        raise SealError(
            f"not a key file: {error}",
            place=str(path),
            remedy="restore it from a backup; what was sealed under it opens with no other",
        ) from error
