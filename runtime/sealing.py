"""What people said, sealed at rest: AES-256-GCM under keys derived from the host's sealing secret.

A sealed value is bound to a context, such as `b"outbox:" + exchange`: moved to another place it does not open.
Layout: one byte of format, 12 bytes of nonce, ciphertext with its 16 byte tag.
"""

from __future__ import annotations

import os
from pathlib import Path

from protocol.errors import SealError
from runtime.identity import HostIdentity

_FORMAT = b"\x01"
_NONCE_BYTES = 12


class Sealer:
    """Seals and opens for one purpose. Different purposes have different keys."""

    def __init__(self, secret: bytes, purpose: str) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM(derived_key(secret, f"sealing/{purpose}"))
        self.purpose = purpose

    @classmethod
    def load(cls, state_dir: Path, purpose: str = "general") -> Sealer:
        """The host's sealer for `purpose`; makes the host's key file on the first run."""
        return cls(HostIdentity.load(state_dir).sealing_secret, purpose)

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """`plain` sealed to `context`: 29 bytes longer."""
        nonce = os.urandom(_NONCE_BYTES)
        return _FORMAT + nonce + self._cipher.encrypt(nonce, plain, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """What was sealed. Raises `SealError` if it was changed, cut, moved, or sealed by another key."""
        from cryptography.exceptions import InvalidTag

        if sealed[:1] != _FORMAT or len(sealed) < 1 + _NONCE_BYTES + 16:
            raise SealError(f"{len(sealed)} bytes that are not sealed data of format 1", place=self.purpose)
        nonce = sealed[1 : 1 + _NONCE_BYTES]
        try:
            return self._cipher.decrypt(nonce, sealed[1 + _NONCE_BYTES :], context)
        except InvalidTag as error:
            raise SealError(
                "does not open: it was changed, moved from another place, or sealed under another key",
                place=self.purpose,
                remedy="restore the data, or the host.key it was sealed under",
            ) from error


def derived_key(secret: bytes, purpose: str) -> bytes:
    """32 bytes for one purpose, from which nobody finds `secret` or the key of another purpose (HKDF, RFC 5869)."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"sage/" + purpose.encode()).derive(secret)
