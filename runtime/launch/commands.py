"""`sage check`: whether a launch file is right, and would work here."""

import sys
from collections.abc import Iterator

import click

from runtime import console, plugins
from runtime.launch.findings import CHECKS, Check, Finding
from runtime.launch.plan import Plan


def settings_of(given: tuple[str, ...]) -> dict[str, str]:
    """`--set name=value`, split. A usage error if there is no `=`."""
    settings: dict[str, str] = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not separator:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--set")
        settings[name.strip()] = value
    return settings


@click.command()
@click.argument("file", default="")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="An argument of the launch file.")
@click.option("--host", default="", help="Check as this host of the file; without it, as each.")
@console.common(timeout=None)
def check(file: str, settings: tuple[str, ...], host: str, as_json: bool, timeout: float | None) -> None:
    """Check a launch file and all it includes, and whether what it names can run here.

    FILE is a path or the name of a shipped file (local, jetson, legion, pair); local if left out.
    Exit codes: 0 nothing is wrong, 1 an error was found, 2 the file itself cannot be understood.

    \b
    Examples:
      sage check launch/pair.yaml
      sage check --set voice=false --json
    """
    from runtime.launch.load import hosts, load_plan

    wrong = False
    for where in [host] if host else hosts(file) or [""]:
        plan = load_plan(file, settings_of(settings), where)
        findings = list(_examine(plan))
        wrong = wrong or any(finding.level == "error" for finding in findings)
        _show(plan, findings, as_json=as_json)
    sys.exit(console.FAILED if wrong else 0)


def _examine(plan: Plan) -> Iterator[Finding]:
    for note in plan.notes:
        yield Finding("note", note, plan.file)
    checks: dict[str, Check] = plugins.load_all(CHECKS)
    for examine in checks.values():
        yield from examine(plan)


def _show(plan: Plan, findings: list[Finding], *, as_json: bool) -> None:
    if as_json:
        for finding in findings:
            console.show_json(finding)
        console.show_json({"file": plan.file, "host": plan.host, "nodes": [process.name for process in plan.processes]})
        return
    where = f"{plan.file} as {plan.host}" if plan.host else plan.file
    click.echo(f"{where}: {len(plan.processes)} processes: {', '.join(process.name for process in plan.processes)}")
    for finding in findings:
        level = click.style(finding.level, fg={"error": "red", "warning": "yellow", "note": "cyan"}[finding.level])
        click.echo(f"  {level} {finding.place + ': ' if finding.place else ''}{finding.message}")
