"""A small variational autoencoder as one more codec: two hidden layers each way, a token's row to a few latents.

It is trained as in Kingma and Welling 2014 and, since what is kept are latents rounded to whole steps, with noise as
wide as a step (Ballé et al. 2017, section 3). What it gives back hangs on what it was trained on: unlike an orthonormal
transform it promises nothing of other texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
import zstandard
from torch import Tensor, nn

from nodes.model_worker.kv.codecs.codec import pack_sinks, unpack_sinks
from nodes.model_worker.kv.codecs.lossless import unpacked
from nodes.model_worker.kv.features import Features

HIDDEN, STEPS, BATCH, RATE = 512, 1500, 512, 1e-3
BETA = 1e-3
"""Weight of the latents' size beside the error, which is of standardised numbers."""
MOST = 127
"""Steps of a latent, either way."""
LEVEL = 15


class Net(nn.Module):
    def __init__(self, width: int, latents: int) -> None:
        super().__init__()
        self.to_latents = nn.Sequential(nn.Linear(width, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, latents))
        self.to_row = nn.Sequential(nn.Linear(latents, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, width))
        # Straight paths beside them, so that what is linear need not be learned through the bend.
        self.straight_in, self.straight_out = nn.Linear(width, latents), nn.Linear(latents, width)

    def encode(self, rows: Tensor) -> Tensor:
        return self.to_latents(rows) + self.straight_in(rows)  # type: ignore[no-any-return]

    def decode(self, latents: Tensor) -> Tensor:
        return self.to_row(latents) + self.straight_out(latents)  # type: ignore[no-any-return]


class TinyVae:
    """Trained when it is made."""

    def __init__(self, features: Features, rows: Tensor, latents: int, seed: int) -> None:
        self._features = features
        self._latents = latents
        self._mean, self._deviation = rows.mean(0), rows.std() + 1e-6  # one for all: errors weigh alike
        self._net = trained((rows - self._mean) / self._deviation, latents, seed)

    @property
    def name(self) -> str:
        return f"vae:{self._latents}"

    @torch.no_grad()
    def encode(self, data: Tensor, start: int) -> list[bytes]:
        exact, first = pack_sinks(self._features, data, start)
        rows = self._features.rows(data[..., exact:, :], start + exact)
        latents = self._net.encode((rows - self._mean) / self._deviation).round().clamp(-MOST, MOST)
        plain = latents.T.contiguous().numpy().astype(np.int8).tobytes()
        packed = zstandard.ZstdCompressor(level=LEVEL).compress(plain)
        return [first, packed]

    @torch.no_grad()
    def decode(self, parts: Sequence[bytes], tokens: int, start: int) -> Iterator[Tensor]:
        exact, first = unpack_sinks(self._features, parts[0], tokens, start)
        count = tokens - exact
        latents = np.frombuffer(unpacked(parts[1], count * self._latents), dtype=np.int8).astype(np.float32)
        rows = self._net.decode(torch.from_numpy(latents).view(self._latents, count).T) * self._deviation + self._mean
        for number, layer in enumerate(self._features.layers_of(rows, start + exact)):
            yield torch.cat([first[number], layer], dim=2)


def trained(rows: Tensor, latents: int, seed: int) -> Net:
    """On standardised rows [tokens, width]."""
    torch.manual_seed(seed)
    net = Net(rows.shape[1], latents)
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    generator = torch.Generator().manual_seed(seed)
    with torch.enable_grad():
        for _ in range(STEPS):
            batch = rows[torch.randint(len(rows), (BATCH,), generator=generator)]
            found = net.encode(batch)
            noisy = found + torch.rand(found.shape, generator=generator) - 0.5
            # The size of what is kept: about the logarithm of how far a latent reaches, in steps.
            size = (1 + found.abs()).log2().sum(1).mean() / rows.shape[1]
            loss = (net.decode(noisy) - batch).square().mean() + BETA * size
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return net.eval()
