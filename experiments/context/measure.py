"""What `sage bench context` does: held-out dialogues, traps, paraphrases, and the time an utterance takes."""

import statistics
import tempfile
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from random import Random
from string import ascii_lowercase
from typing import Any

import msgspec

from experiments.context import paraphrases, release
from experiments.context.dialogues import DIALOGUES, SEED, Dialogue, dialogues
from experiments.context.fit import AWAITED, prepared
from experiments.context.forerunner import by_keywords
from experiments.context.reading import read, texts
from experiments.context.split import Side
from experiments.context.trial import seen, traps
from experiments.context.verdict import calibration, verdict
from experiments.reference.family import WEIGHTS
from nodes.context_classifier import config, encoder, fits
from nodes.context_classifier.classifier import Classifier
from nodes.context_classifier.classify import Questions, classify
from nodes.context_classifier.config import ContextConfig
from nodes.context_classifier.encoder import Choice, Encoder
from nodes.context_classifier.export import table
from protocol.messages.context import Classify
from runtime.bench.record import Goal, at_least, at_most
from runtime.bench.session import Outcome, Progress, Session

QUICK = 120
UTTERANCES = 3000


def measure(session: Session, encoders: Sequence[str] = (), folder: str = "", levels: str = "") -> Outcome:
    """`encoders` are measured beside the one that is configured: `folder` is of `sentence`, `levels` of `model`.

    Raises FitMissing for one that nothing is fitted to.
    """
    settings = config.load()
    asked = [msgspec.structs.replace(settings.encoder, name=name, folder=folder) for name in encoders]
    chosen = encoder.chosen(settings.encoder)
    count = QUICK if session.quick else DIALOGUES
    set_ = dialogues(Side.HELD_OUT, SEED + session.seed, count)
    progress = session.progress((6 + 2 * len(asked)) * count)
    figures: dict[str, Any] = {
        "held_out": {
            "cold": _judged(session, settings, chosen, set_, progress, settings.questions, warm=False),
            "warm": _judged(session, settings, chosen, set_, progress, settings.questions, warm=True),
        },
        "forerunner": verdict([one.label for one in set_], [by_keywords(one.said) for one in set_]),
        "traps": _traps(settings, chosen, settings.questions),
        "encoders": _encoders(session, settings, set_, progress)
        | {choice.name: _asked(session, settings, choice, levels, set_, progress) for choice in asked},
        "paraphrases": {
            "tokens": paraphrases.area(chosen, Side.HELD_OUT, session.seed),
            "hashed": paraphrases.area(encoder.Hashed(), Side.HELD_OUT, session.seed),
        },
        "milliseconds": _time(settings, set_),
    }
    return Outcome(figures=figures, goals=_goals(figures), text=_text(figures), packages=("numpy",))


def _judged(
    session: Session,
    settings: ContextConfig,
    chosen: Encoder,
    set_: Sequence[Dialogue],
    progress: Progress,
    weights: Questions,
    *,
    warm: bool,
) -> dict[str, Any]:
    judged = []
    for dialogue in set_:
        found = classify(seen(dialogue, chosen, settings.limits, warm=warm), weights)
        judged.append(found)
        session.raw(
            dialogue=dialogue.id,
            encoder=chosen.name,
            warm=warm,
            label=dialogue.label,
            plant=dialogue.plant,
            said=dialogue.said,
            found=found.context,
            probabilities=found.probabilities,
            why=found.why,
        )
        progress.advance(1, f"{chosen.name}, {'warm' if warm else 'cold'}")
    labels = [dialogue.label for dialogue in set_]
    missed: dict[str, int] = {}
    for dialogue, one in zip(set_, judged, strict=True):
        missed[dialogue.plant] = missed.get(dialogue.plant, 0) + (one.context is not dialogue.label)
    return {
        **verdict(labels, [one.context for one in judged]),
        **calibration(labels, [one.probabilities for one in judged]),
        "missed": {plant: count for plant, count in missed.items() if count},
    }


def _traps(settings: ContextConfig, chosen: Encoder, weights: Questions) -> dict[str, Any]:
    found: dict[str, Any] = {}
    set_ = traps()
    for name, warm in (("cold", False), ("warm", True)):
        said = [classify(seen(one, chosen, settings.limits, warm=warm), weights).context for one in set_]
        wrong = [
            f"{one.said[-1]!r}: {other}, not {one.label}"
            for one, other in zip(set_, said, strict=True)
            if one.label is not other
        ]
        found[name] = {"traps": len(set_), "right": len(set_) - len(wrong), "wrong": "; ".join(wrong)}
    keywords = sum(by_keywords(one.said) is one.label for one in set_)
    return {**found, "forerunner": {"traps": len(set_), "right": keywords}}


def _encoders(
    session: Session, settings: ContextConfig, set_: Sequence[Dialogue], progress: Progress
) -> dict[str, dict[str, float]]:
    """Macro-F1 with other encoders: hashed features alone, and vectors that never saw a held-out wording."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="sage-bench-") as place:
        path = Path(place) / "words.safetensors"
        path.write_bytes(table(WEIGHTS / "sensory", list(release.lines(side=Side.TUNING))))
        others = (
            ("hashed", encoder.Hashed(), fits.load("hashed").questions),
            ("tuning wordings only", encoder.Tokens(path), settings.questions),
        )
        for name, other, weights in others:
            found[name] = {
                regime: _judged(session, settings, other, set_, progress, weights, warm=warm)["macro_f1"]
                for regime, warm in (("cold", False), ("warm", True))
            }
    return found


def _asked(
    session: Session, settings: ContextConfig, choice: Choice, levels: str, set_: Sequence[Dialogue], progress: Progress
) -> dict[str, Any]:
    """Macro-F1 and traps with an encoder that was asked for, and what its texts took to read."""
    fit = fits.load(choice.name, choice.fit)
    took: dict[str, float] = {}
    if choice.name in AWAITED:
        said = texts([*set_, *traps()])
        began = time.perf_counter()
        reads = read(choice, levels, said)
        took = {"texts": len(said), "seconds_to_read": round(time.perf_counter() - began, 1)}
        other: Encoder = prepared(choice, fit, reads)
    else:
        other = encoder.chosen(choice)
    judged = {
        regime: _judged(session, settings, other, set_, progress, fit.questions, warm=warm)
        for regime, warm in (("cold", False), ("warm", True))
    }
    told = _traps(settings, other, fit.questions)
    return {
        **{regime: one["macro_f1"] for regime, one in judged.items()},
        "calibration_error": judged["warm"]["calibration_error"],
        "missed_warm": judged["warm"]["missed"],
        "traps": {name: one["right"] for name, one in told.items() if name != "forerunner"},
        **took,
    }


def _time(settings: ContextConfig, set_: Sequence[Dialogue]) -> dict[str, float]:
    """Of one utterance through the classifier, salience included, once every group and conversation is in use."""
    classifier = Classifier(settings)
    random = Random("context/time")
    for number in range(settings.limits.clusters):
        invented = " ".join("".join(random.choices(ascii_lowercase, k=9)) for _ in range(3))
        for _ in range(2):  # what came but once would make room for the next
            classifier.classify(Classify(text=invented, session=str(number % 64)))
    said = [text for one in set_ for part in (*one.unrelated, one.said) for text in part]
    for number, text in enumerate(islice(cycle(said), UTTERANCES)):
        classifier.classify(Classify(text=text, session=str(number // 8 % 64)))
    times, busy = [], []
    for number, text in enumerate(islice(cycle(reversed(said)), UTTERANCES)):
        began, worked = time.perf_counter(), time.thread_time()
        classifier.classify(Classify(text=text, session=str(number // 8 % 64)))
        times.append(1000 * (time.perf_counter() - began))
        busy.append(1000 * (time.thread_time() - worked))
    return {
        "median": round(statistics.median(times), 3),
        "p99": round(sorted(times)[int(0.99 * len(times))], 3),
        "p99_of_the_processor": round(sorted(busy)[int(0.99 * len(busy))], 3),
        "groups": len(classifier.memory.clusters.records),
        "utterances": len(times),
    }


def _goals(figures: dict[str, Any]) -> list[Goal]:
    held_out, traps_ = figures["held_out"], figures["traps"]
    return [
        *(
            at_least(
                f"macro_f1_{regime}",
                f"macro-F1 on held-out dialogues, {known}",
                target=0.9,
                measured=held_out[regime]["macro_f1"],
            )
            for regime, known in (("cold", "nothing known before"), ("warm", "a memory of unrelated conversations"))
        ),
        *(
            at_least(
                f"traps_{regime}",
                f"hand-written traps that are told right, {regime}",
                target=traps_[regime]["traps"],
                measured=traps_[regime]["right"],
            )
            for regime in ("cold", "warm")
        ),
        *(
            at_most(
                f"milliseconds_{which}",
                f"milliseconds an utterance takes with the memory full, {which}",
                target=1.0,
                measured=figures["milliseconds"][which],
            )
            for which in ("median", "p99")
        ),
    ]


def _text(figures: dict[str, Any]) -> str:
    lines = [
        "The label is the context of a dialogue's last utterance. *Cold*: nothing is known before it. *Warm*: eight",
        "conversations of kinds that are apart from all of its own came before. Weights were fitted to the tuning half",
        "of the wordings; the word vectors of `tokens` have read the curriculum's taught side, which has held-out",
        "wordings in it (behind other openers), but no label; *tuning wordings only* has not even read those.",
        "",
        "| label, warm | " + " | ".join(figures["held_out"]["warm"]["confusion"]) + " | precision | recall |",
        "|---|---|---|---|---|---|---|",
    ]
    warm = figures["held_out"]["warm"]
    for label, row in warm["confusion"].items():
        one = warm["classes"][label]
        cells = " | ".join(str(count) for count in row.values())
        lines.append(f"| {label} | {cells} | {one['precision']:.2f} | {one['recall']:.2f} |")
    lines.append(
        f"\nThe forerunner's keyword rules on the same dialogues: macro-F1 {figures['forerunner']['macro_f1']}."
    )
    return "\n".join(lines)
