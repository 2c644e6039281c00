"""What is fitted to an encoder: how its vectors are brought to one scale, and how the three questions weigh them.

Vectors of a model crowd in one direction: two texts that have nothing in common are nearly as close as two of one kind.
So the mean of what is ordinarily said is taken away, and the leading axes of the rest are brought nearer to equal
variance (Mu & Viswanath 2018; Su et al. 2021). A fit belongs to the weights that read the texts it was made of.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from nodes.context_classifier.classify import Questions
from protocol.errors import ConfigError, SageError
from runtime import paths

if TYPE_CHECKING:
    from nodes.context_classifier.vectors import Vector

FITS = "experiments/context/fits"
"""The directory where they lie unless the configuration says otherwise; may lie below the install."""


class FitMissing(SageError):
    code = "context.fit"


class Fit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    encoder: str
    made: str
    """Of what, and how."""
    questions: Questions
    base: str = ""
    """What read the texts, as `Embedded.base` or a file's digest names it; "" where the encoder is of one piece."""
    share: float = 0.0
    """What these vectors count in the likeness of utterances, where the written features count 1."""
    mean: bytes = b""
    """float32, little endian, [width]: of unit vectors."""
    axes: bytes = b""
    """float16, little endian, [dimensions, width]: what takes a unit vector less the mean to the scale."""

    @property
    def width(self) -> int:
        """Of the vectors that it is made for."""
        return len(self.mean) // 4

    @property
    def dimensions(self) -> int:
        """Of what it makes of them."""
        return len(self.axes) // 2 // self.width if self.width else 0

    def scaled(self, vector: Vector) -> Vector:
        """A unit vector [dimensions] of a vector [width]; all zeros stay so."""
        import numpy as np

        norm = float(np.linalg.norm(vector))
        if not norm:
            return np.zeros(self.dimensions, dtype=np.float32)
        mean = np.frombuffer(self.mean, "<f4")
        axes = np.frombuffer(self.axes, "<f2").reshape(self.dimensions, self.width).astype(np.float32)
        found: Vector = axes @ (vector / np.float32(norm) - mean)
        found /= np.float32(max(float(np.linalg.norm(found)), 1e-12))
        return found


def place(encoder: str, path: str = "") -> Path:
    """Where the fit of an encoder lies, or is to lie. Raises ConfigError for a `path` where nothing is."""
    return paths.located(path) if path else paths.located(FITS) / f"{encoder}.json"


def load(encoder: str, path: str = "") -> Fit:
    """Raises `FitMissing` where there is none that can be read, with the command that makes one."""
    try:
        where = place(encoder, path)
    except ConfigError as error:
        raise _missing(encoder, Path(path), error.message) from error
    try:
        fit = msgspec.json.decode(where.read_bytes(), type=Fit)
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise _missing(encoder, where, str(error)) from error
    if fit.encoder != encoder:
        raise _missing(encoder, where, f"it is of the encoder {fit.encoder!r}")
    if len(fit.axes) != 2 * fit.dimensions * fit.width:
        raise _missing(encoder, where, f"{len(fit.axes)} bytes of axes do not go with {fit.width} numbers")
    return fit


def _missing(encoder: str, where: Path, why: str) -> FitMissing:
    return FitMissing(f"nothing is fitted to the encoder {encoder!r}: {why}", place=str(where), remedy=remedy(encoder))


def remedy(encoder: str) -> str:
    return f"`sage context fit --encoder {encoder}` makes a fit; or set encoder: name to another in the configuration"
