"""What a question is to those who guess whether a level can answer it: names of features, each there or not. Pure."""

from __future__ import annotations

import zlib
from functools import lru_cache

import msgspec

CLUSTERS, SESSIONS = 256, 16
"""Buckets that numbers of clusters and names of conversations are hashed into: a model's size is bounded by them."""
LENGTHS = (4, 7, 11, 16, 24, 48)
"""Words of a question: a bin ends below each."""
DEPTHS = (1, 2, 4, 8, 16)
"""Turns of the conversation before it."""
FAMILIES = ("level", "context", "cluster", "length", "shape", "depth", "session")
"""What a feature's name begins with. `shape`: cluster and length together."""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A question as far as it is known before anybody has answered it."""

    context: str
    cluster: int = -1
    """Number of the group of similar inputs; below 0 where nobody said."""
    words: int = 0
    """Of the question; 0 where it is not known."""
    depth: int = 0
    """Turns of the conversation before it."""
    session: str = ""


Features = tuple[str, ...]


def features(query: Query) -> Features:
    """The features a question has, one of each family. The first, `level`, is common to all; `?` is what is not known.

    That every question has one of each keeps the uncertainty about questions that nothing is known of the same.
    """
    return (*_of_kind(query.context, query.cluster, query.words, query.depth), _of_session(query.session))


@lru_cache(maxsize=4096)
def _of_kind(context: str, cluster: int, words: int, depth: int) -> Features:
    length = str(_bin(words, LENGTHS)) if words > 0 else "?"
    bucket = str(cluster % CLUSTERS) if cluster >= 0 else "?"
    return (
        "level",
        f"context={context}",
        f"cluster={bucket}",
        f"length={length}",
        f"shape={bucket}/{length}",
        f"depth={_bin(depth, DEPTHS)}",
    )


@lru_cache(maxsize=1024)
def _of_session(session: str) -> str:
    return f"session={zlib.crc32(session.encode()) % SESSIONS if session else '?'}"


def family(name: str) -> str:
    return name.partition("=")[0]


def _bin(value: int, edges: tuple[int, ...]) -> int:
    return sum(value >= edge for edge in edges)
