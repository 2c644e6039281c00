"""From what the bus benchmark measured to figures, goals and text. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from runtime.bench.contenders import Trial
from runtime.bench.peers.sample import BLOCK_BYTES
from runtime.bench.plot import Axis, lines
from runtime.bench.record import Goal, at_least, at_most
from runtime.bench.session import Outcome
from runtime.bench.statistics import median, percentile, ratios, spread

PACKAGES = ("pyzmq", "msgspec")

_KEPT_UP = 0.5
_SAGE = "sage"


@dataclass
class Measured:
    """Everything that was measured, by contender."""

    event_us: dict[str, list[list[float]]] = field(default_factory=lambda: defaultdict(list))
    """One list of one-way times per round."""
    call_us: dict[str, list[list[float]]] = field(default_factory=lambda: defaultdict(list))
    rates: dict[str, dict[str, list[tuple[float, Trial]]]] = field(default_factory=lambda: defaultdict(dict))
    """Kind of message → contender → (rate offered, trial)."""
    flood: dict[str, int] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)


def worked(offered: float, trial: Trial) -> bool:
    """Whether all messages arrived, and the rate offered still had an effect.

    Somewhat more than can be carried is offered on purpose: only so is it seen what is carried at most.
    """
    return trial.complete and trial.per_s >= _KEPT_UP * offered


def outcome(measured: Measured) -> Outcome:
    figures = _figures(measured)
    return Outcome(figures=figures, goals=goals(figures), text=_text(measured, figures), packages=PACKAGES)


def plot(measured: Measured) -> bytes:
    """The distribution of event times, as SVG."""
    shares = [step / 200 for step in range(1, 199)]
    series = {}
    for name, rounds in sorted(measured.event_us.items()):
        pooled = sorted(time for times in rounds for time in times)
        series[name] = [(percentile(pooled, share), share) for share in shares]
    return lines("one-way time of an event", series, Axis("µs", logarithmic=True), Axis("share of events"))


def goals(figures: dict[str, Any]) -> list[Goal]:
    """What the fabric is to reach. What could not be measured is not met."""
    ratio = figures["event_us_p50_ratio"]
    return [
        at_most(
            "event_vs_dora",
            "median time of an event at most 0.8 of dora-rs's",
            target=0.8,
            measured=_median_of(ratio.get("dora")),
        ),
        at_most(
            "event_vs_floor",
            "median time of an event at most 1.3 of raw pyzmq's under asyncio",
            target=1.3,
            measured=_median_of(ratio.get("floor_asyncio")),
        ),
        at_least(
            "events_per_s",
            "typed events a second through one hub, none lost",
            target=40_000,
            measured=figures["events_per_s"],
        ),
        at_most(
            "losses_counted",
            "messages lost above capacity that the reader did not count",
            target=0,
            measured=abs(figures["flood"]["unaccounted"]),
        ),
    ]


def _figures(measured: Measured) -> dict[str, Any]:
    own = contender_figures(measured, _SAGE)
    others = sorted(set(measured.event_us) - {_SAGE})
    return {
        **own,
        "lost": _lost_at_best(measured.rates["sample"][_SAGE]),
        "flood": {**measured.flood, "unaccounted": unaccounted(measured.flood)},
        "event_us_p50_ratio": {name: _ratio(measured.event_us, name) for name in others},
        "call_us_p50_ratio": {name: _ratio(measured.call_us, name) for name in others if name in measured.call_us},
        **{name: contender_figures(measured, name) for name in others},
        "absent": measured.absent,
        "peer_versions": measured.versions,
    }


def contender_figures(measured: Measured, name: str) -> dict[str, Any]:
    """One contender's times in µs, and its best rates without a loss."""
    figures: dict[str, Any] = {}
    for what, rounds in (("event", measured.event_us.get(name)), ("call", measured.call_us.get(name))):
        if rounds:
            pooled = [time for times in rounds for time in times]
            figures[f"{what}_us_p50"] = round(percentile(pooled, 0.5), 1)
            figures[f"{what}_us_p99"] = round(percentile(pooled, 0.99), 1)
    for kind, figure, unit in (("sample", "events_per_s", 1.0), ("block", "mb_per_s", BLOCK_BYTES / 1e6)):
        if name in measured.rates[kind]:
            figures[figure] = round(_best(measured.rates[kind][name]) * unit, 1)
    return figures


def unaccounted(flood: dict[str, int]) -> int:
    """Messages that neither reached the handler nor were counted as lost; negative where too many were counted."""
    return flood["sent"] - flood["received"] - flood["gaps"] - flood["dropped"] - flood["refused"]


def _best(trials: list[tuple[float, Trial]]) -> float:
    """The highest rate of arrival in a trial that lost nothing."""
    return max((trial.per_s for _, trial in trials if trial.complete), default=0.0)


def _lost_at_best(trials: list[tuple[float, Trial]]) -> int:
    """Messages missing from the trial that `events_per_s` is taken from: none, by the choice of that trial."""
    complete = [trial for _, trial in trials if trial.complete]
    best = max(complete or [trial for _, trial in trials], key=lambda trial: trial.per_s)
    return best.sent - best.received


def _ratio(times: dict[str, list[list[float]]], name: str) -> dict[str, Any]:
    """Round by round, the fabric's median over another's."""
    ours, theirs = ([median(one) for one in times[key]] for key in (_SAGE, name))
    return spread(ratios(ours, theirs))


def _median_of(ratio: dict[str, Any] | None) -> float | None:
    return ratio["median"] if ratio else None


_NAMES = {
    "sage": "this fabric",
    "floor_blocking": "raw pyzmq + msgspec through zmq.proxy, blocking reader",
    "floor_asyncio": "the same, reader under asyncio",
    "zenoh": "eclipse-zenoh, peer to peer",
    "dora": "dora-rs",
}
_COLUMNS = ("event_us_p50", "event_us_p99", "call_us_p50", "call_us_p99", "events_per_s", "mb_per_s")


def _text(measured: Measured, figures: dict[str, Any]) -> str:
    """How it was measured, and a line per contender."""
    lines = [
        "A typed message of 200 bytes, 1000 a second, from a source process to a reader process; times from before it",
        "is encoded to after it is decoded, in µs. Contenders take turns in one run; ratios are taken round by round.",
        "",
        f"| | {' | '.join(_COLUMNS)} | event p50, ours / theirs |",
        f"|---|{'---|' * (len(_COLUMNS) + 1)}",
    ]
    for name, words in _NAMES.items():
        values = figures if name == _SAGE else figures.get(name, {})
        cells = [f"{values[column]:,}" if column in values else "" for column in _COLUMNS]
        lines.append(f"| {words} | {' | '.join(cells)} | {_shown_ratio(figures['event_us_p50_ratio'].get(name))} |")
    for name, reason in measured.absent.items():
        lines += ["", f"{_NAMES[name]} was not measured: {reason}"]
    flood = figures["flood"]
    lost = flood["sent"] - flood["received"]
    above = (
        f"Above capacity: {flood['sent']:,} events sent without a pause to a reader made slow, {flood['received']:,} "
        f"handled, {lost:,} missing. Counted at the reader: {flood['gaps']:,} as gaps in the sequence, "
        f"{flood['dropped']:,} given up by its full inbox; {flood['unaccounted']:,} unaccounted for."
    )
    return "\n".join([*lines, "", above])


def _shown_ratio(ratio: dict[str, Any] | None) -> str:
    return f"{ratio['median']:.2f} ({ratio['low']:.2f}–{ratio['high']:.2f})" if ratio else ""
