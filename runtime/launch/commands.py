"""`sage check`: whether a launch file is right, and would work here."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from protocol.errors import ConfigError
from runtime import config, console, paths, plugins
from runtime.launch.findings import CHECKS, CONFIGS, Check, ConfigKind, Finding
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
    """Check a launch file and all it includes, and whether what it names can run here; or a configuration file.

    FILE is a path or the name of a shipped launch file (local, jetson, legion, pair); local if left out. The machine
    that a configuration of the metabolism makes is searched through: no trap, no deaf state, nothing that flaps.
    Exit codes: 0 nothing is wrong, 1 an error was found, 2 the file itself cannot be understood.

    \b
    Examples:
      sage check launch/pair.yaml
      sage check configs/metabolism.yaml
      sage check --set voice=false --json
    """
    from runtime.launch.load import hosts, load_plan

    if kinds := _config_kinds(file):
        sound = [not _check_config(file, kind, as_json=as_json) for kind in kinds]
        sys.exit(0 if all(sound) else console.FAILED)
    wrong = False
    for where in [host] if host else hosts(file) or [""]:
        plan = load_plan(file, settings_of(settings), where)
        findings = list(_examine(plan))
        wrong = wrong or _is_wrong(findings)
        _show(plan, findings, as_json=as_json)
    sys.exit(console.FAILED if wrong else 0)


def _check_config(file: str, name: str, *, as_json: bool) -> bool:
    """Show what is to be known of a configuration file. Whether something is wrong with it."""
    kind: ConfigKind = plugins.load(CONFIGS, name)
    findings = list(kind.examine(config.load(file, kind.type)))
    errors = sum(finding.level == "error" for finding in findings)
    if not as_json:
        click.echo(f"{file}: a configuration of the {name}: {f'{errors} errors' if errors else 'nothing is wrong'}")
    _show_findings(findings, as_json=as_json)
    if as_json:
        console.show_json({"file": file, "kind": name, "errors": errors})
    return errors > 0


def _config_kinds(file: str) -> list[str]:
    """Names of the kinds of configuration that the file is, by its topmost keys; none for any other file."""
    if not Path(file).is_file():
        return []
    tree = config.read_tree(file).value
    keys = set(tree) if isinstance(tree, dict) else set[str]()
    kinds: dict[str, ConfigKind] = plugins.load_all(CONFIGS)
    # As many of the file's keys as can be, and as few others: `levels` alone is a levels file, and no dialogue.
    fits = {
        name: (len(keys & set(fields)), -len(fields))
        for name, kind in kinds.items()
        for fields in [kind.type.__struct_fields__]
    }
    best = max(fits.values(), default=(0, 0))
    return [name for name, fit in fits.items() if fit == best] if best[0] > len(keys) / 2 else []


def _is_wrong(findings: list[Finding]) -> bool:
    return any(finding.level == "error" for finding in findings)


def _examine(plan: Plan) -> Iterator[Finding]:
    for note in plan.notes:
        yield Finding("note", note, plan.file)
    yield from _misread(plan)
    checks: dict[str, Check] = plugins.load_all(CHECKS)
    for examine in checks.values():
        yield from examine(plan)


def _misread(plan: Plan) -> Iterator[Finding]:
    """What is wrong with the configurations that the plan's nodes would read."""
    kinds: list[ConfigKind] = list(plugins.load_all(CONFIGS).values())
    for process in plan.processes:
        params = json.loads(process.environment.get("SAGE_PARAMS", "{}"))
        for kind in kinds:
            if not kind.module or kind.module not in process.argv:
                continue
            try:
                config.load(paths.located(str(params.get(kind.param) or kind.ships)), kind.type)
            except ConfigError as error:
                yield Finding("error", str(error), process.name)


def _show(plan: Plan, findings: list[Finding], *, as_json: bool) -> None:
    if as_json:
        _show_findings(findings, as_json=True)
        console.show_json({"file": plan.file, "host": plan.host, "nodes": [process.name for process in plan.processes]})
        return
    where = f"{plan.file} as {plan.host}" if plan.host else plan.file
    click.echo(f"{where}: {len(plan.processes)} processes: {', '.join(process.name for process in plan.processes)}")
    _show_findings(findings, as_json=False)


def _show_findings(findings: list[Finding], *, as_json: bool) -> None:
    for finding in findings:
        if as_json:
            console.show_json(finding)
            continue
        level = click.style(finding.level, fg={"error": "red", "warning": "yellow", "note": "cyan"}[finding.level])
        click.echo(f"  {level} {finding.place + ': ' if finding.place else ''}{finding.message}")
