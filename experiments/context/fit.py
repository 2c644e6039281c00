"""Fits the weights of the three questions to the tuning half: `python -m experiments.context.fit`.

Prints them as they stand in `configs/context.yaml`. Logistic regression with a small penalty, by Newton's method; each
question is asked only where the ones before it were answered rightly. No held-out wording and no trap is looked at.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from experiments.context.dialogues import Dialogue, dialogues
from experiments.context.split import Side
from experiments.context.trial import seen
from nodes.context_classifier import config, encoder
from nodes.context_classifier.classify import Conflict, Known, Observation, Settled, looks
from protocol.messages.context import Context

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TUNING_SEED, TUNING_DIALOGUES = 1, 960
PENALTY = 1.0
STEPS = 30

Met = tuple[Dialogue, Observation]


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


def main() -> None:
    import yaml

    settings = config.load()
    chosen = encoder.chosen(settings.encoder)
    met = [
        (dialogue, seen(dialogue, chosen, settings.limits, warm=warm))
        for dialogue in dialogues(Side.TUNING, TUNING_SEED, TUNING_DIALOGUES)
        for warm in (False, True)
    ]
    print(yaml.safe_dump({"questions": fitted(met)}, sort_keys=False))


if __name__ == "__main__":
    main()
