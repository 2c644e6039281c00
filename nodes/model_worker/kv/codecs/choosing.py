"""The codecs of a loaded model, by what its level's configuration says."""

from __future__ import annotations

from pathlib import Path

from nodes.model_worker.errors import ModelUnfit, StateUnreadable
from nodes.model_worker.kv.codecs import learned, lossless
from nodes.model_worker.kv.codecs.codec import Codec, Codecs
from nodes.model_worker.kv.codecs.learned import Learned
from nodes.model_worker.kv.codecs.uniform import Uniform
from nodes.model_worker.kv.exactness import Exactness
from nodes.model_worker.kv.features import Features
from nodes.model_worker.loading import LoadedModel

BITS = (8, 4, 3)
LOSSLESS = {"lossless": lossless.NAME, "raw": lossless.RAW}
"""What a configuration says → what stands in a file."""


def codecs_of(loaded: LoadedModel, wanted: str, folder: Path | None) -> Codecs:
    """`wanted`: `codec` of the level. `folder`: where fits lie.

    Raises ModelUnfit or StateUnreadable where the one that is wanted cannot be had; others that cannot, are not there.
    """
    try:
        features = Features.of(loaded)
    except ModelUnfit:
        if wanted not in LOSSLESS:
            raise
        return Codecs(LOSSLESS[wanted])
    known: dict[str, Codec] = {codec.name: codec for codec in (Uniform(bits, features) for bits in BITS)}
    name = LOSSLESS.get(wanted, wanted)
    try:
        fitted = _fitted(loaded, features, folder)
        known[fitted.name] = fitted
        if wanted == learned.NAME:
            name = fitted.name
    except (FileNotFoundError, StateUnreadable) as error:
        if wanted == learned.NAME:
            place = getattr(error, "place", "") or getattr(error, "filename", "") or "its state directory"
            raise ModelUnfit(
                "its attention state is to be kept by the learned codec, which was not fitted to it"
                if isinstance(error, FileNotFoundError)
                else f"the fit of its codec cannot be used: {error}",
                place=str(place),
                remedy="sage kv fit LEVEL --text FILE, or another `codec` in the levels file",
            ) from error
    return Codecs(name, known)


def usual(codec: str) -> Exactness:
    """What a request wants that does not say: state as it was, or as such a codec gives it back."""
    return Exactness.CONTINUOUS if codec in LOSSLESS else Exactness.LOSSY


def _fitted(loaded: LoadedModel, features: Features, folder: Path | None) -> Learned:
    if folder is None:
        raise FileNotFoundError
    fit, _ = learned.load(learned.path_of(folder, loaded.fingerprint["config"]))
    return Learned(fit, features)
