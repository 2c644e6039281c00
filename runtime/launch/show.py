"""A plan for people and for programs: what `sage up --dry-run` prints."""

import shlex
from pathlib import Path
from typing import Any

import msgspec

from runtime.launch.plan import CONTROL_SOCKET, NOTIFY_SOCKET, Plan, Process
from runtime.units import format_duration, format_size


def endpoints(plan: Plan) -> dict[str, str]:
    """Every socket of the run directory: three of the hub, two of the supervisor."""
    from runtime.bus.transport import Endpoints

    directory = Path(plan.run_dir)
    return {
        **vars(Endpoints(directory)),
        "notify": f"unix-datagram://{directory / NOTIFY_SOCKET}",
        "control": f"unix://{directory / CONTROL_SOCKET}",
    }


def as_records(plan: Plan) -> list[dict[str, Any]]:
    """One record of the whole, then one per process in order of start."""
    whole = msgspec.to_builtins(plan)
    processes = whole.pop("processes")
    return [{**whole, "endpoints": endpoints(plan)}, *processes]


def as_text(plan: Plan) -> str:
    lines = [
        f"{plan.file}{f' as {plan.host}' if plan.host else ''}: {len(plan.processes)} processes, in order of start",
        f"run directory    {plan.run_dir}",
        f"state directory  {plan.state_dir}",
        *(f"{name:<16} {address}" for name, address in endpoints(plan).items()),
        *(f"note: {note}" for note in plan.notes),
    ]
    for number, process in enumerate(plan.processes, 1):
        lines += ["", f"{number}. {process.name}  ({process.place})", *(f"   {line}" for line in _about(process))]
    return "\n".join(lines)


def _about(process: Process) -> list[str]:
    waits = ", ".join(f"{name} {stage}" for name, stage in process.after.items()) or "nothing"
    liveness = "not watched" if process.liveness is None else f"a beat every {format_duration(process.liveness)}"
    within = f"{process.intensity.restarts} in {format_duration(process.intensity.within)}"
    limits = [f"stop grace {format_duration(process.stop_grace)}", f"nice {process.nice}"]
    if process.memory is not None:
        limits.append(f"memory {format_size(process.memory)}")
    return [
        shlex.join(process.argv),
        f"after {waits}; ready within {format_duration(process.start)}; {liveness}",
        f"restart {process.restart}, at most {within}, then {process.escalation}; {', '.join(limits)}",
        *(f"{name}={shlex.quote(value)}" for name, value in process.environment.items()),
    ]
