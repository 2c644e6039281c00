"""Fits an encoder to the tuning half: `sage context fit --encoder NAME`.

For an encoder whose vectors come from elsewhere, first what brings them to one scale: the mean that is taken away, and
axes of more even variance. Then, for every encoder, the weights of the three questions: logistic regression with a
small penalty, by Newton's method; each question is asked only where the ones before it were answered rightly. No
held-out wording and no trap is looked at.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from experiments.context.dialogues import Dialogue, dialogues
from experiments.context.reading import Prepared, read, texts
from experiments.context.split import Side
from experiments.context.trial import seen
from nodes.context_classifier import encoder
from nodes.context_classifier.awaited import Ask, Awaited, Read
from nodes.context_classifier.classify import Conflict, Known, Observation, Questions, Settled, looks
from nodes.context_classifier.encoder import Choice, Encoder
from nodes.context_classifier.fits import Fit
from nodes.context_classifier.memory import Limits
from protocol.messages.context import Context

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TUNING_SEED, TUNING_DIALOGUES = 1, 960
PENALTY = 1.0
STEPS = 30
AWAITED = ("model", "sentence")
DIMENSIONS, SHARE = 64, 1.0
"""Axes that are kept, and what they count beside the written features; chosen on the tuning half."""
EVENNESS = 0.5
"""0 leaves the variances of the axes as they are, 1 makes them all alike; chosen on the tuning half."""
LEAST = 1e-6
"""Of the greatest variance: no axis counts for less, or rounding would be blown up."""

Met = tuple[Dialogue, Observation]


def fit(choice: Choice, limits: Limits, levels_file: str) -> Fit:
    """A fit of any encoder. Raises the errors of reading texts with it."""
    tuning = dialogues(Side.TUNING, TUNING_SEED, TUNING_DIALOGUES)
    made = f"{TUNING_DIALOGUES} dialogues of the tuning half, seed {TUNING_SEED}"
    if choice.name not in AWAITED:
        questions = weights(tuning, encoder.chosen(choice), limits)
        return Fit(encoder=choice.name, made=made, questions=questions)
    reads = read(choice, levels_file, texts(tuning))
    scale = scaled(choice.name, made, reads)
    return msgspec.structs.replace(scale, questions=weights(tuning, prepared(choice, scale, reads), limits))


def scaled(name: str, made: str, reads: Mapping[str, Read]) -> Fit:
    """What brings the vectors of `reads` to one scale, with questions that are yet to be fitted."""
    import numpy as np

    vectors = np.stack([one.vector for one in reads.values()]).astype(np.float64)
    vectors = vectors[np.linalg.norm(vectors, axis=1) > 0]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    mean = vectors.mean(axis=0)
    variances, axes = np.linalg.eigh(np.cov((vectors - mean).T))
    largest = np.argsort(-variances)[:DIMENSIONS]
    even = axes[:, largest] / np.maximum(variances[largest], LEAST * variances.max()) ** (EVENNESS / 2)
    even /= np.abs(even).max()
    return Fit(
        encoder=name,
        made=made,
        questions=Questions(),
        base=next(iter(reads.values())).base,
        share=SHARE,
        mean=mean.astype("<f4").tobytes(),
        axes=even.T.astype("<f2").tobytes(),
    )


def prepared(choice: Choice, fit: Fit, reads: Mapping[str, Read]) -> Prepared:
    """The encoder as it is with this fit, of texts that were read."""
    return Prepared(Awaited(choice.name, _nobody, encoder.tokens(choice), fit), reads)


async def _nobody(_text: str, _ask: Ask) -> Read:
    raise AssertionError("all texts were read beforehand")


def weights(tuning: Iterable[Dialogue], chosen: Encoder, limits: Limits) -> Questions:
    met = [(dialogue, seen(dialogue, chosen, limits, warm=warm)) for dialogue in tuning for warm in (False, True)]
    return msgspec.convert(fitted(met), Questions)


def fitted(met: Sequence[Met]) -> dict[str, dict[str, float]]:
    """Question → name → weight."""
    known = [one for one in met if one[0].label is not Context.UNSTABLE]
    settled = [one for one in known if one[0].label is not Context.NOVEL]
    return {
        "conflict": _weights(met, Conflict.__struct_fields__, (Context.UNSTABLE,)),
        "known": _weights(known, Known.__struct_fields__, (Context.STABLE, Context.MOVING)),
        "settled": _weights(settled, Settled.__struct_fields__, (Context.STABLE,)),
    }


def _weights(met: Sequence[Met], names: Sequence[str], yes: Sequence[Context]) -> dict[str, float]:
    import numpy as np

    seen_ = [looks(observation) for _, observation in met]
    given = np.array([[look[name] for name in names] for look in seen_])
    wanted = np.array([float(dialogue.label in yes) for dialogue, _ in met])
    penalty = np.array([0.0 if name == "bias" else PENALTY for name in names])
    found = _logistic(given, wanted, penalty)
    return {name: round(float(weight), 2) for name, weight in zip(names, found, strict=True)}


def _logistic(
    given: "NDArray[np.float64]", wanted: "NDArray[np.float64]", penalty: "NDArray[np.float64]"
) -> "NDArray[np.float64]":
    """Weights [names] of the least penalised log loss; `given` [rows, names], `wanted` [rows] of 0 and 1."""
    import numpy as np

    weights = np.zeros(given.shape[1])
    for _ in range(STEPS):
        said = 1 / (1 + np.exp(-np.clip(given @ weights, -30, 30)))
        slope = given.T @ (said - wanted) + penalty * weights
        curve = (given * (said * (1 - said))[:, None]).T @ given + np.diag(penalty + 1e-9)
        weights -= np.linalg.solve(curve, slope)
    return weights
