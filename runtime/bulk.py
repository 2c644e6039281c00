"""Content-addressed files for what is too large to travel inline.

A file is named by the SHA-256 of its content under `<state>/bulk/ab/cdef…`; a reference can travel anywhere, and
whoever opens it on this host can check that it got the right bytes.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from protocol.bulk import BulkRef
from protocol.errors import BulkCorrupt, BulkMissing, Malformed
from runtime.paths import private_directory, write_atomically

_DIGEST = re.compile(r"[0-9a-f]{64}")


class BulkStore:
    def __init__(self, state_dir: Path) -> None:
        self._root = private_directory(state_dir / "bulk")
        self.stored = 0
        self.known = 0
        self.corrupt = 0

    def put(self, content: bytes, *, media_type: str = "application/octet-stream") -> BulkRef:
        """Keep `content`; what is there already is not written again."""
        digest = hashlib.sha256(content).hexdigest()
        path = self._path(digest)
        if path.exists():
            self.known += 1
        else:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            write_atomically(path, content)
            self.stored += 1
        return BulkRef(digest=digest, size=len(content), media_type=media_type)

    def get(self, reference: BulkRef) -> bytes:
        """The content, checked. Raises `BulkMissing` or `BulkCorrupt`, or `Malformed` for what is no reference."""
        path = self.path(reference)
        content = path.read_bytes()
        if len(content) != reference.size or hashlib.sha256(content).hexdigest() != reference.digest:
            self.corrupt += 1
            raise BulkCorrupt(
                "the content is not what the digest says", place=str(path), remedy="remove the file and fetch it again"
            )
        return content

    def path(self, reference: BulkRef) -> Path:
        """Where the content lies, for readers that map it; not checked."""
        if not _DIGEST.fullmatch(reference.digest):
            raise Malformed(f"{reference.digest!r} is no SHA-256 digest", place="BulkRef.digest")
        path = self._path(reference.digest)
        if not path.exists():
            raise BulkMissing(f"no content of digest {reference.digest}", place=str(self._root))
        return path

    def stats(self) -> dict[str, float]:
        return {"stored": self.stored, "known": self.known, "corrupt": self.corrupt}

    def _path(self, digest: str) -> Path:
        return self._root / digest[:2] / digest[2:]
