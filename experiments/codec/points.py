"""Every way to keep attention state: what comes back of it, and the bytes that it takes, everything counted in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nodes.model_worker.kv.chunkfile import Content, Keys, pack
from nodes.model_worker.kv.codecs import lossless
from nodes.model_worker.kv.codecs.codec import Codec, as_bytes, sinks
from nodes.model_worker.kv.codecs.fit import through
from nodes.model_worker.kv.codecs.learned import Learned
from nodes.model_worker.kv.features import Features
from nodes.model_worker.kv.pruning import recent
from nodes.model_worker.kv.pruning.choosing import best
from nodes.model_worker.kv.pruning.scorers import SCORERS
from nodes.model_worker.kv.state import AttentionState
from nodes.model_worker.loading import LoadedModel

CHUNK = 128
"""Tokens that are kept together, as levels ship."""


@dataclass(frozen=True)
class Given:
    """A context and its own state."""

    ids: Sequence[int]
    data: Tensor
    """[layers, 2, kv_heads, tokens, head_dim]."""


@dataclass(frozen=True)
class Kept:
    state: AttentionState
    nbytes: int


@dataclass(frozen=True)
class Point:
    """`keep` gives what comes back of a context, and what it took."""

    family: str
    name: str
    keep: Callable[[Given], Kept]


class Keeping:
    """Builds points for one model."""

    def __init__(self, loaded: LoadedModel, keys: Keys) -> None:
        self.loaded = loaded
        self.features = Features.of(loaded)
        self._keys = keys
        self._scores: dict[tuple[str, tuple[int, ...]], Tensor] = {}

    def file_bytes(self, given: Given, codec: str, packed: Sequence[list[bytes]] | None = None) -> int:
        """Of all files of a context: headers, ids, signatures and seals counted in.

        `packed`: what a lossy codec made of each chunk.
        """
        total = 0
        for number, start in enumerate(range(0, len(given.ids), CHUNK)):
            piece = given.data[..., start : start + CHUNK, :]
            content = Content(
                fingerprint=self.loaded.fingerprint,
                exactness="cold" if packed is None else "lossy",
                size=CHUNK,
                dtype=self.loaded.state.dtype,
                shape=list(piece.shape),
                parent="0" * 40,
                ids=given.ids[start : start + CHUNK],
                start=start,
                model=self.loaded.folder.name,
                layers=[as_bytes(layer) for layer in piece] if packed is None else packed[number],
                codec=codec,
            )
            total += len(pack(self._keys, content, made_ns=1)[1])
        return total

    def as_it_is(self, name: str, file_name: str) -> Point:
        """A lossless codec: all comes back."""

        def keep(given: Given) -> Kept:
            return Kept(self._state(given, given.data), self.file_bytes(given, file_name))

        return Point("lossless", name, keep)

    def coded(self, family: str, name: str, codec: Codec) -> Point:

        def keep(given: Given) -> Kept:
            found, packed = through(codec, given.data, CHUNK)
            return Kept(self._state(given, found), self.file_bytes(given, codec.name, packed))

        return Point(family, name, keep)

    def pruned(self, scorer: str, share: float) -> Point:
        """The bytes of those that stay, each as it is, with a bit for every token."""

        def keep(given: Given) -> Kept:
            kept = self._chosen(scorer, given, share)
            state = self._state(given, given.data)
            state.prune(kept)
            per_token = given.data.nbytes // len(given.ids)
            return Kept(state, len(kept) * per_token + len(given.ids) // 8)

        return Point(scorer, f"{scorer} {1 / share:g}×", keep)

    def both(self, scorer: str, share: float, codec: Learned, name: str) -> Point:
        """What stays, through the learned codec."""

        def keep(given: Given) -> Kept:
            kept = self._chosen(scorer, given, share)
            rows = self.features.rows(given.data, 0)
            exact = sinks(0, len(given.ids))
            inner = kept[exact:]
            size, back = exact * given.data.nbytes // len(given.ids) + len(given.ids) // 8, []
            for start in range(0, len(inner), CHUNK):
                some = rows[inner[start : start + CHUNK]]
                parts = codec.pack(some)
                size += sum(map(len, parts)) + self._overhead(given)
                back.append(torch.cat(list(codec.unpack(parts, len(some))), dim=1))
            restored = rows.clone()
            restored[inner] = torch.cat(back)
            state = self._state(given, self.features.state(restored, 0))
            state.prune(kept)
            return Kept(state, size)

        return Point("learned and pruned", f"{name}, {scorer} {1 / share:g}×", keep)

    def _overhead(self, given: Given) -> int:
        """Bytes of a chunk's file beside the layers."""
        one = replace(given, ids=given.ids[:CHUNK], data=given.data[..., :CHUNK, :])
        return self.file_bytes(one, lossless.RAW) - one.data.nbytes

    def _chosen(self, scorer: str, given: Given, share: float) -> list[int]:
        room = round(share * len(given.ids))
        if scorer == "recent":
            return recent.kept(len(given.ids), room)
        key = scorer, tuple(given.ids)
        if key not in self._scores:
            self._scores[key] = SCORERS[scorer](self.loaded, given.ids)
        return best(self._scores[key], room)

    def _state(self, given: Given, data: Tensor) -> AttentionState:
        state = AttentionState(self.loaded.state.layers, len(given.ids), self.loaded.device)
        state.append(data.to(getattr(torch, self.loaded.state.dtype)), given.ids, cold=False)
        return state


def formats(given: Given) -> Mapping[str, tuple[Callable[[], bytes], Callable[[bytes], object]]]:
    """How the earlier work wrote state down: name → (write, read)."""
    import gzip
    import io
    import pickle

    def saved() -> bytes:
        out = io.BytesIO()
        torch.save(given.data, out)
        return out.getvalue()

    # Its own bytes, read in the same run.
    return {
        "pickle": (lambda: pickle.dumps(given.data), pickle.loads),
        "gzip(pickle)": (
            lambda: gzip.compress(pickle.dumps(given.data)),
            lambda packed: pickle.loads(gzip.decompress(packed)),  # noqa: S301
        ),
        "torch.save": (saved, lambda packed: torch.load(io.BytesIO(packed))),
    }
