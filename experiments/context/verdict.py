"""How right a classifier was, and how far its probabilities can be trusted. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from protocol.messages.context import Context

BINS = 10


def verdict(labels: Sequence[Context], said: Sequence[Context]) -> dict[str, Any]:
    """Precision, recall and F1 of each context, their mean, and who was taken for whom (label → said → count)."""
    cells = Counter(zip(labels, said, strict=True))
    classes = {kind.value: _one(cells, kind) for kind in Context}
    return {
        "dialogues": len(labels),
        "macro_f1": round(sum(one["f1"] for one in classes.values()) / len(classes), 4),
        "classes": {name: {key: round(value, 3) for key, value in one.items()} for name, one in classes.items()},
        "confusion": {one.value: {other.value: cells[one, other] for other in Context} for one in Context},
    }


def _one(cells: Mapping[tuple[Context, Context], int], kind: Context) -> dict[str, float]:
    right = cells[kind, kind]
    called = sum(cells[other, kind] for other in Context)
    there = sum(cells[kind, other] for other in Context)
    precision, recall = right / called if called else 0.0, right / there if there else 0.0
    together = precision + recall
    return {"precision": precision, "recall": recall, "f1": 2 * precision * recall / together if together else 0.0}


def calibration(labels: Sequence[Context], probabilities: Sequence[Mapping[Context, float]]) -> dict[str, float]:
    """Expected calibration error of the highest probability in ten equal bins, and the Brier score over all four.

    Brier: 0 is perfect, 0.75 is a quarter for each.
    """
    bins: dict[int, list[tuple[float, bool]]] = {}
    brier = 0.0
    for label, each in zip(labels, probabilities, strict=True):
        best = max(each, key=lambda kind: each[kind])
        bins.setdefault(min(BINS - 1, int(each[best] * BINS)), []).append((each[best], best is label))
        brier += sum((probability - (kind is label)) ** 2 for kind, probability in each.items())
    error = sum(abs(sum(sure for sure, _ in one) - sum(right for _, right in one)) for one in bins.values())
    return {"calibration_error": round(error / len(labels), 4), "brier": round(brier / len(labels), 4)}
