"""The table and the plot. Pure, but for matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.distillation.measures import Change, interval
from experiments.distillation.trial import Found
from experiments.distillation.world import World
from runtime.bench.statistics import median
from runtime.markdown import table

Each = Mapping[int, tuple[Change, Found]]
"""Day → what one arm came to."""

_HEADS = (
    "arm",
    "days",
    "right before",
    "after",
    "gain (95% interval over days)",
    "old skill that lost most",
    "old skills, mean change",
    "skill it lacked, not taught, that lost most",
    "the dream's own ruling",
    "steps",
    "wall s",
    "processor s",
    "peak MB",
)


def text(found: Mapping[str, Each], what: Mapping[str, str], world: World, digest: str) -> str:
    told = (
        f"{world.teacher} teaches {world.student}. Every day is concentrated on {world.skills} skills, which have "
        f"{world.share:.0%} of it; what examines is held out from the day and from the family's own training, wording "
        f"and content: {world.target_each} questions for every row of the day's skills, {world.old_each} for every "
        f"other row ({world.control_each} for the controls). An old skill is one that the student had more than "
        f"{world.weak:.0%} of right as it was released. World sha256 `{digest}`."
    )
    rows = [_row(name, each) for name, each in found.items() if each]
    lines = [told, "", *table(_HEADS, rows), "", *(f"- **{name}**: {what[name]}" for name in found)]
    return "\n".join(lines)


def summary(each: Each) -> dict[str, Any]:
    """Means over the days; a loss is the worst of them."""
    if not each:
        return {}
    shifts, trials = [shift for shift, _ in each.values()], [trial for _, trial in each.values()]
    mean, low, high = interval([shift.gain for shift in shifts])
    name, lost = min((shift.worst for shift in shifts), key=lambda worst: worst[1])
    lacking, lacking_lost = min((shift.worst_lacking for shift in shifts), key=lambda worst: worst[1])
    return {
        "days": len(each),
        "before": round(_mean([shift.before for shift in shifts]), 4),
        "after": round(_mean([shift.after for shift in shifts]), 4),
        "gain": round(mean, 4),
        "low": round(low, 4) if len(each) > 1 else None,
        "high": round(high, 4) if len(each) > 1 else None,
        "worst_skill": name,
        "worst_change": round(lost, 4),
        "old_change": round(_mean([shift.old for shift in shifts]), 4),
        "lacking_skill": lacking,
        "lacking_change": round(lacking_lost, 4),
        "promoted": sum(trial.promoted for trial in trials),
        "steps": round(median([float(trial.steps) for trial in trials])),
        "wall_s": round(median([trial.wall_s for trial in trials]), 1),
        "cpu_s": round(median([trial.cpu_s for trial in trials]), 1),
        "peak_mb": round(max(trial.peak_bytes for trial in trials) / 1e6),
        "candidate_bytes": max(trial.candidate_bytes for trial in trials),
    }


def picture(shifts: Sequence[Change]) -> bytes:
    """Share right by skill, before and after, mean of the days; what was to be learned is marked. SVG."""
    import io

    from matplotlib.figure import Figure

    names = sorted(shifts[0].skills, key=lambda name: (not any(name in one.targets for one in shifts), name))
    figure = Figure(figsize=(9, 0.3 * len(names) + 1), layout="constrained")
    axis = figure.subplots()
    for place, name in enumerate(names):
        days = [one for one in shifts if name in one.targets] or list(shifts)
        before, after = (_mean([one.skills[name][side] for one in days]) for side in (0, 1))
        colour = "#d1495b" if any(name in one.targets for one in shifts) else "#1b6ca8"
        axis.plot([before, after], [place, place], color=colour, linewidth=1)
        axis.plot(before, place, "o", color=colour, fillstyle="none")
        axis.plot(after, place, "o", color=colour)
    axis.set_yticks(range(len(names)), names)
    axis.invert_yaxis()
    axis.set_xlabel("share right on held-out questions: open before, full after the dream; red: learned on some day")
    axis.set_xlim(-0.02, 1.02)
    out = io.BytesIO()
    figure.savefig(out, format="svg")
    return out.getvalue()


def _row(name: str, each: Each) -> tuple[str, ...]:
    one = summary(each)
    sure = f" ({one['low']:+.1%} to {one['high']:+.1%})" if one["low"] is not None else ""
    return (
        name,
        str(one["days"]),
        f"{one['before']:.1%}",
        f"{one['after']:.1%}",
        f"{one['gain']:+.1%}{sure}",
        f"{one['worst_skill']} {one['worst_change']:+.1%}",
        f"{one['old_change']:+.1%}",
        f"{one['lacking_skill']} {one['lacking_change']:+.1%}",
        f"kept on {one['promoted']} of {one['days']}",
        str(one["steps"]),
        f"{one['wall_s']:.0f}",
        f"{one['cpu_s']:.0f}",
        str(one["peak_mb"]),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
