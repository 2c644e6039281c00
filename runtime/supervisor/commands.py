"""`sage up`, `down`, `logs` and `node`: starting a system, stopping it, reading what it prints, one node at a time."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from protocol.errors import AlreadyRunning, DeadlineExceeded
from runtime import console
from runtime.launch.commands import settings_of

if TYPE_CHECKING:
    from runtime.launch.plan import Plan
    from runtime.supervisor.console import Style
    from runtime.supervisor.control import Reply

ALREADY_RUNNING = NOT_RUNNING = 3
NOT_READY = 4
FOLLOW_SECONDS = 0.2


@click.command()
@click.argument("file", default="")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="An argument of the launch file.")
@click.option("--host", default="", help="Which of the file's hosts this is. [this machine's name]")
@click.option("--dry-run", is_flag=True, help="Show what would be run, to the last variable, and run nothing.")
@click.option("--detach", "-d", is_flag=True, help="Return once all are ready; the system goes on in the background.")
@console.common(timeout=120)
def up(
    *, file: str, settings: tuple[str, ...], host: str, dry_run: bool, detach: bool, as_json: bool, timeout: float
) -> None:
    """Start the system that a launch file describes, and keep it running.

    FILE is a path or the name of a shipped file (local, jetson, legion, pair); local if left out. The first Ctrl-C
    stops everything in order, a second one kills. --timeout bounds how long --detach waits.

    Exit codes: 0 ended in order, 1 a node failed for good, 2 the command line or a file is wrong, 3 a system is already
    running here, 4 not ready (with --detach; what started goes on running), 130 killed.

    \b
    Examples:
      sage up
      sage up launch/pair.yaml --host jetson --set voice=false
      sage up --dry-run --json | jq .argv
    """
    from runtime.launch.load import load_plan

    plan = load_plan(file, settings_of(settings), host)
    if dry_run:
        _show_plan(plan, as_json=as_json)
        return
    with _exits():
        sys.exit(_begin(plan, _style(as_json=as_json), timeout, detach=detach, as_json=as_json))


def _begin(plan: "Plan", style: "Style", timeout: float, *, detach: bool, as_json: bool) -> int:
    from pathlib import Path

    from runtime.supervisor import begin

    lock = begin.hold(Path(plan.run_dir))
    if not detach:
        return begin.foreground(plan, lock, style)
    outcome = begin.detached(plan, lock, timeout)
    if outcome is None:
        raise DeadlineExceeded(f"not ready within {timeout:g} s; it goes on", remedy="sage node list; sage down")
    if as_json:
        console.show_json(outcome)
    elif outcome.ready:
        click.echo(f"{len(plan.processes)} processes ready after {outcome.seconds:.1f} s (sage status, sage down)")
    else:
        click.echo(f"{click.style('not ready:', fg='red')} {outcome.reason}", err=True)
        for line in outcome.last:
            click.echo(f"  {line}", err=True)
        click.echo("What could be started goes on: sage node list, sage logs, sage down", err=True)
    return 0 if outcome.ready else NOT_READY


@click.command()
@click.option("--kill", is_flag=True, help="Kill everything at once instead of stopping it in order.")
@console.common(timeout=30)
def down(kill: bool, as_json: bool, timeout: float) -> None:
    """Stop the system of this run directory in order, and wait until nothing of it is left.

    Exit codes: 0 stopped, 3 nothing runs here, 4 it was still stopping after --timeout.

    \b
    Examples:
      sage down
      sage down --kill
    """
    from runtime.paths import run_dir
    from runtime.supervisor import end

    with _exits():
        seconds = end.kill(run_dir(), timeout) if kill else end.stop(run_dir(), timeout)
    if as_json:
        console.show_json({"stopped": True, "seconds": round(seconds, 3)})
    else:
        click.echo(f"stopped after {seconds:.1f} s")


@click.command()
@click.option("--node", "nodes", multiple=True, help="Only this node; may be given more than once.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes.")
@click.option("--since", default="", metavar="DURATION", help="Only the last 30s, 10m, 2h, …")
@click.option("--grep", default="", metavar="REGEX", help="Only where this occurs.")
@click.option("--lines", "-n", type=click.IntRange(min=0), default=100, show_default=True, help="How many, at most.")
@console.common(timeout=None)
def logs(
    *, nodes: tuple[str, ...], follow: bool, since: str, grep: str, lines: int, as_json: bool, timeout: float | None
) -> None:
    """Show what all processes printed, merged by time. The files lie below the state directory, in logs/.

    \b
    Examples:
      sage logs -f
      sage logs --node dialogue --since 10m --grep 'level=(warning|error)'
      sage logs --json | jq 'select(.event == "node.failed")'
    """
    import time
    from collections import deque

    from runtime.paths import state_dir
    from runtime.supervisor import logview

    beginning = None if not since else time.time() - console.duration(since, "--since")
    accept = logview.wanted(since=beginning, pattern=_pattern(grep))
    known = logview.nodes_with_logs(state_dir())
    follower = logview.Follower(state_dir(), list(nodes) or None, accept)
    show = _shower(max(map(len, nodes or known or ("",))), as_json=as_json)
    for entry in deque(logview.history(state_dir(), nodes or known, accept), maxlen=lines):
        show(entry)
    end = None if timeout is None else time.monotonic() + timeout
    while follow and (end is None or time.monotonic() < end):
        for entry in follower.fresh():
            show(entry)
        time.sleep(FOLLOW_SECONDS)


@click.group()
def node() -> None:
    """One node of the running system: list, restart, start, stop."""


@node.command(name="list")
@console.common(timeout=5)
def list_nodes(as_json: bool, timeout: float) -> None:
    """Show every node as the supervisor sees it: phase, process, restarts, and why."""
    state = _ask("status", "", timeout).state
    assert state is not None
    if as_json:
        for one in state.nodes:
            console.show_json(one)
        return
    rows = [
        (n.name, n.phase, n.pid or "-", n.restarts, n.reason or n.status or _waiting(n.waits_for)) for n in state.nodes
    ]
    click.echo(console.table(rows, header=("node", "phase", "pid", "restarts", "why")))


@node.command()
@click.argument("name")
@console.common(timeout=60)
def restart(name: str, as_json: bool, timeout: float) -> None:
    """Stop NAME in order and start it again. Exit code 0 once it is ready, 1 if it fails, 4 if it takes longer."""
    _settle("restart", name, timeout, as_json=as_json)


@node.command()
@click.argument("name")
@console.common(timeout=60)
def start(name: str, as_json: bool, timeout: float) -> None:
    """Start NAME, stopped or failed before. Exit code 0 once it is ready, 1 if it fails, 4 if it takes longer."""
    _settle("start", name, timeout, as_json=as_json)


@node.command()
@click.argument("name")
@console.common(timeout=60)
def stop(name: str, as_json: bool, timeout: float) -> None:
    """Stop NAME in order and leave it stopped."""
    _settle("stop", name, timeout, as_json=as_json)


def _settle(verb: Any, name: str, timeout: float, *, as_json: bool) -> None:
    one = _ask(verb, name, timeout).node
    assert one is not None
    reached = one.phase == "stopped" if verb == "stop" else one.phase in ("ready", "degraded")
    if as_json:
        console.show_json(one)
    else:
        click.echo(f"{one.name} is {one.phase}{f': {one.reason}' if one.reason else ''}", err=not reached)
    sys.exit(0 if reached else console.FAILED if one.phase == "failed" else console.TIMED_OUT)


def _ask(verb: Any, name: str, timeout: float) -> "Reply":
    from runtime.paths import run_dir
    from runtime.supervisor.control import Request, ask

    with _exits():
        return ask(run_dir(), Request(verb, name, timeout))


@contextmanager
def _exits() -> Iterator[None]:
    """Exit code 3 for a system that runs already, or for none that runs."""
    from runtime.supervisor.control import NotRunning

    try:
        yield
    except (AlreadyRunning, NotRunning) as error:
        click.echo(f"{click.style('sage:', fg='red')} {error}", err=True)
        sys.exit(ALREADY_RUNNING)


def _style(*, as_json: bool) -> "Style":
    if as_json:
        return "json"
    return "colour" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else "plain"


def _shower(width: int, *, as_json: bool) -> Any:
    from runtime.supervisor.records import encode, render

    style = _style(as_json=as_json)
    if style == "json":
        return lambda entry: click.echo(encode(entry).decode(), nl=False)
    return lambda entry: click.echo(render(entry, colour=style == "colour", width=width))


def _waiting(waits_for: list[str]) -> str:
    return f"waits for {', '.join(waits_for)}" if waits_for else ""


def _pattern(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text) if text else None
    except re.error as error:
        raise click.BadParameter(f"{text!r}: {error}", param_hint="--grep") from error


def _show_plan(plan: "Plan", *, as_json: bool) -> None:
    from runtime.launch.show import as_records, as_text

    if as_json:
        for one in as_records(plan):
            console.show_json(one)
    else:
        click.echo(as_text(plan))
