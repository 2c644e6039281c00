"""`sage calibrate`: what each level costs on this machine."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from protocol.errors import DeadlineExceeded
from runtime import console

if TYPE_CHECKING:
    from runtime.power.costs import Cost, LevelCosts


@click.command()
@click.option("--level", help="Only this one. [all of the levels file]")
@click.option("--levels", "file", default="configs/levels.yaml", show_default=True, help="The levels file.")
@click.option("--quick", is_flag=True, help="Shorter requests, fewer of them.")
@click.option("--seed", type=int, default=0, show_default=True, help="Draws the prompts.")
@console.common(timeout=1800)
def calibrate(level: str | None, file: str, quick: bool, seed: int, as_json: bool, timeout: float) -> None:
    """Measure what each level costs here: joules, or processor seconds where no sensor can be read.

    Every level is loaded in this process and asked with random tokens, and loaded in a process of its own to see what
    starting one takes; a machine that does other things meanwhile shows
    in the figures. They are written to costs.json in the state directory, with source, date and model version; what is
    known of other levels stays. `sage energy show` shows them, and reservations of energy rest on them.

    \b
    Examples:
      sage calibrate
      sage calibrate --level sensory --quick --json
    """
    from nodes.model_worker import levels
    from nodes.model_worker.calibrate import calibrate as measure
    from runtime.clock import Clock
    from runtime.paths import state_dir
    from runtime.power import costs

    known = levels.load(file)
    path = state_dir() / costs.FILE
    chosen = [known.by_name(level)] if level else known.levels
    progress = Progress(timeout)
    for each in chosen:
        progress.level = each.name
        found = measure(each, quick=quick, seed=seed, clock=Clock(), progress=progress)
        costs.save(path, costs.Costs(levels={**costs.load(path).levels, each.name: found}))
        if as_json:
            console.show_json({"level": each.name, **console.plain(found)})
        else:
            click.echo("\n".join(lines(each.name, found)))
    if not as_json:
        click.echo(f"written to {path}")


class Progress:
    """Shows on a terminal what is measured, and ends it between two requests once the time is over."""

    def __init__(self, timeout: float) -> None:
        self.level = ""
        self._timeout = timeout
        self._began = time.monotonic()

    def __call__(self, what: str) -> None:
        if time.monotonic() - self._began > self._timeout:
            raise DeadlineExceeded(
                f"not done within {self._timeout:g} s; what was measured before {self.level} is written",
                remedy="give it longer with --timeout, or ask for less with --quick",
            )
        if sys.stderr.isatty():
            click.echo(f"{self.level}: {what}", err=True)


def lines(name: str, costs: LevelCosts) -> list[str]:
    """A level's costs as text."""
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(costs.measured_ns / 1e9))
    how = "processor seconds" if costs.source == "cpu" else f"joules by {costs.source}"
    return [
        f"{name}: {costs.model} {costs.version} on {costs.device}, {how}, measured {when}",
        f"  a start beside a load {_told(costs.start, costs.source)}",
        f"  a load                {_told(costs.load, costs.source)}",
        f"  every answer          {_told(costs.answer, costs.source)}",
        f"  1,000 tokens read     {_told(costs.prefill, costs.source)}",
        f"  1,000 tokens said     {_told(costs.decode, costs.source)}",
    ]


def _told(cost: Cost, source: str) -> str:
    drawn = "" if source == "cpu" else f"{cost.joules:9.2f} J  "
    return f"{drawn}{cost.cpu_s:9.3f} processor s  {cost.seconds:9.3f} s"
