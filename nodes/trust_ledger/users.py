"""Users of this host: each with a key file of their own, which signs what they saw.

The file `users/NAME.key` in the state directory is readable by its owner alone. Nobody needs one for anything to go on.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import msgspec

from nodes.trust_ledger.identities import USER, attested
from protocol.errors import ConfigError, NotPermitted, SealError
from protocol.lct import Lct, Subject, lct_id
from runtime.paths import make_once, private_directory

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SECRET_BYTES = 32


class _KeyFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: int
    user: str
    created_ns: int
    signing: bytes


class User:
    """Somebody with a key."""

    def __init__(self, name: str, created_ns: int, signing: bytes) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self._private = Ed25519PrivateKey.from_private_bytes(signing)
        binding = self._private.public_key().public_bytes_raw()
        lct = Lct(
            id=lct_id(USER, name, binding),
            subject=Subject(kind=USER, name=name),
            binding=binding,
            created_ns=created_ns,
            policy={"may": "witness"},
        )
        self.lct = lct
        self.lct = attested(lct, self, created_ns)

    def sign(self, message: bytes) -> bytes:
        """Ed25519 signature, 64 bytes."""
        return self._private.sign(message)


def make(state_dir: Path, name: str, wall_ns: int) -> User:
    """The user of that name, whose key file is made if there is none."""
    path = key_file(state_dir, name)
    if not path.exists():
        keys = _KeyFile(version=1, user=name, created_ns=wall_ns, signing=os.urandom(_SECRET_BYTES))
        make_once(path, msgspec.json.encode(keys))
    return load(state_dir, name)


def load(state_dir: Path, name: str) -> User:
    """The user of that name. Raises `ConfigError` where there is none, `NotPermitted`, `SealError`."""
    path = key_file(state_dir, name)
    try:
        mode, data = stat.S_IMODE(path.stat().st_mode), path.read_bytes()
    except FileNotFoundError as error:
        raise ConfigError(
            f"there is no user {name!r}", place=str(path), remedy=f"make one with `sage trust user {name}`"
        ) from error
    if mode & 0o077:
        raise NotPermitted(
            f"the key file is open to others (mode {mode:04o})", place=str(path), remedy=f"chmod 600 {path}"
        )
    try:
        keys = msgspec.json.decode(data, type=_KeyFile)
        return User(keys.user, keys.created_ns, keys.signing)
    except (msgspec.DecodeError, ValueError) as error:
        raise SealError(f"not a key file: {error}", place=str(path), remedy="restore it from a backup") from error


def key_file(state_dir: Path, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} is no name for a user", remedy="use letters, digits, '.', '_' and '-', 64 at most")
    return private_directory(state_dir / "users") / f"{name}.key"
