"""A dream's end as a page to read: Markdown, every check with what was required and found. Pure."""

from __future__ import annotations

from protocol.messages.dream import DreamCompleted
from runtime.markdown import table


def page(completed: DreamCompleted) -> str:
    """The page, whatever came of the dream."""
    became = "interrupted" if completed.interrupted else "promoted" if completed.promoted else "refused"
    lines = [f"# Dream {completed.dream}", "", f"{completed.level}: **{became}**. {completed.why}", ""]
    if completed.checks:
        rows = [
            (check.name, check.required, check.found, "passed" if check.passed else "**failed**")
            for check in completed.checks
        ]
        lines += ["## Checks", "", *table(("check", "required", "found", ""), rows), ""]
    if completed.results:
        compared = any(result.base is not None for result in completed.results)
        rows_of_skills = [
            (result.name, str(result.questions), f"{result.before:.1%}", f"{result.after:.1%}")
            + ((_share(result.base),) if compared else ())
            for result in completed.results
        ]
        head = ("skill", "questions", "before", "after", *(("own model",) if compared else ()))
        lines += ["## Skills", "", *table(head, rows_of_skills), ""]
    lines.append(
        f"{completed.examples} examples in the store, {completed.seconds:.0f} s, "
        f"{completed.cpu_s:.0f} processor seconds in the last stretch."
    )
    return "\n".join(lines) + "\n"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
