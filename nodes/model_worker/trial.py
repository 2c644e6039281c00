"""Which conversations a challenger answers, while learned weights are on trial beside those in force. Pure."""

import hashlib
from dataclasses import dataclass

from nodes.model_worker.learned import Learned


@dataclass(frozen=True)
class Trial:
    learned: Learned
    share: float
    """Of conversations, 0..1."""

    def takes(self, session: str) -> bool:
        """Whether the challenger answers this conversation, always the same for it; one without a name it never does.

        The lot is keyed by the digest, so that every challenger meets other conversations.
        """
        if not session:
            return False
        key = self.learned.digest.encode()[: hashlib.blake2b.MAX_KEY_SIZE]
        drawn = hashlib.blake2b(session.encode("utf-8", "surrogatepass"), key=key, digest_size=8).digest()
        return int.from_bytes(drawn) < self.share * 2**64
