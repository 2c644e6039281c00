"""The tables of the report. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.days.arms import Arm
from experiments.days.course import Lasted
from experiments.days.measures import at_the_end, behind, lowest
from experiments.days.nights import Night
from experiments.days.world import World
from experiments.trust.rivals import LARGEST, LEVELS
from runtime.markdown import table

Found = Mapping[str, Sequence[Lasted]]

_ARMS = (
    "arm",
    "days",
    "right, first day",
    "right, last quarter",
    "worst day against the first",
    "most behind the largest alone",
    "ATP an answer, first day",
    "last quarter",
    f"answered by {LEVELS[0]}, first day",
    "last quarter",
    "ATP replayed, a question",
    "dreams kept",
    "processor s of dreams (of one that was interrupted, since then)",
)
_DAYS = (
    "day",
    "questions",
    "asked before",
    "right",
    "largest alone",
    f"{LEVELS[0]} alone",
    "ATP an answer",
    "answered by " + " / ".join(LEVELS),
    "the night after",
)


def text(found: Found, arms: Sequence[Arm], world: World, digest: str) -> str:
    told = (
        f"{world.days} days of about {world.visits:g} visits; interests move on by {world.step:g} skill a day "
        f"(standard deviation {world.width:g} skills). Questions are of wordings and contents that the family was "
        f"never trained on. {', '.join(world.students)} may dream every night, of at most {world.dream.lessons} "
        "lessons, each time from its released weights. ATP is that of the answers, at the costs of "
        "`experiments/trust/world.yaml`; what was replayed by night and what dreams took stand beside it: dreams train "
        "the small reference family, whose seconds are no measure of the models that those costs are of. "
        f"World sha256 `{digest}`."
    )
    lines = [
        told,
        "",
        *table(_ARMS, [_arm(name, lasted) for name, lasted in found.items()]),
        "",
        *(f"- **{arm.name}**: {arm.what}" for arm in arms),
    ]
    for name, lasted in found.items():
        lines += ["", f"## {name}", "", *table(_DAYS, [_day(at, one) for at, one in enumerate(lasted, start=1)])]
        whys = [f"- day {at}: {one.night.completed.why}" for at, one in enumerate(lasted, start=1) if one.night]
        lines += ["", "What came of the nights:", "", *whys] if whys else []
    versions = {one.night.code for lasted in found.values() for one in lasted if one.night is not None}
    if len(versions) > 1:
        lines += ["", f"The nights were dreamt by {len(versions)} versions of the code: {', '.join(sorted(versions))}."]
    return "\n".join(lines)


def summary(lasted: Sequence[Lasted]) -> dict[str, Any]:
    days = [one.counted for one in lasted]
    dreams = _dreams(lasted)
    drop = lowest(days)
    small = LEVELS[0]
    return {
        "days": len(days),
        "right_first": round(days[0].right, 4),
        "right_end": round(at_the_end(days, lambda day: day.right), 4),
        "worst_against_first": None if drop is None else round(drop, 4),
        "behind_largest": round(behind(days), 4),
        "atp_first": round(days[0].atp, 4),
        "atp_end": round(at_the_end(days, lambda day: day.atp), 4),
        "small_first": round(days[0].answered_by[small], 4),
        "small_end": round(at_the_end(days, lambda day: day.answered_by[small]), 4),
        "small_alone_end": round(at_the_end(days, lambda day: day.alone[small]), 4),
        "replayed_atp": round(
            sum(day.replayed_atp * day.questions for day in days) / sum(day.questions for day in days), 4
        ),
        "dreams": len(dreams),
        "dreams_kept": sum(night.completed.promoted for night in dreams),
        "dream_cpu_s": round(sum(night.completed.cpu_s for night in dreams), 1),
        "by_day": [
            {"right": round(day.right, 4), "atp": round(day.atp, 4), "answered_by": _rounded(day.answered_by)}
            for day in days
        ],
    }


def _arm(name: str, lasted: Sequence[Lasted]) -> tuple[str, ...]:
    one = summary(lasted)
    drop = one["worst_against_first"]
    return (
        name,
        str(one["days"]),
        f"{one['right_first']:.1%}",
        f"{one['right_end']:.1%}",
        "-" if drop is None else f"{drop:+.1%}",
        f"{one['behind_largest']:.1%}",
        f"{one['atp_first']:.2f}",
        f"{one['atp_end']:.2f}",
        f"{one['small_first']:.0%}",
        f"{one['small_end']:.0%}",
        f"{one['replayed_atp']:.2f}",
        f"{one['dreams_kept']} of {one['dreams']}",
        f"{one['dream_cpu_s']:.0f}",
    )


def _day(at: int, one: Lasted) -> tuple[str, ...]:
    day = one.counted
    return (
        str(at),
        str(day.questions),
        f"{day.repeated:.0%}",
        f"{day.right:.1%}",
        f"{day.alone[LEVELS[LARGEST]]:.1%}",
        f"{day.alone[LEVELS[0]]:.1%}",
        f"{day.atp:.2f}",
        " / ".join(f"{day.answered_by[level]:.0%}" for level in LEVELS),
        _verdict(one.night),
    )


def _verdict(night: Night | None) -> str:
    if night is None:
        return "-"
    if not night.dreamt:
        return "no dream"
    return "kept" if night.completed.promoted else "refused"


def _dreams(lasted: Sequence[Lasted]) -> list[Night]:
    return [one.night for one in lasted if one.night is not None and one.night.dreamt]


def _rounded(shares: Mapping[str, float]) -> dict[str, float]:
    return {name: round(share, 4) for name, share in shares.items()}
