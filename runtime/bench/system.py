"""A whole system at rest: how soon it is ready, what it weighs, what it costs idle, how soon it is gone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from protocol.errors import ConfigError
from runtime.bench.record import at_most
from runtime.bench.session import Outcome, Session
from runtime.vitals import processor_s

READY_S, PSS_BYTES, IDLE_PERCENT, DOWN_S = 10.0, 350 << 20, 5.0, 3.0
_WORKERS = "model_worker/"
_UP_S = 180


@dataclass(frozen=True)
class Weight:
    """One process: proportional memory in bytes, processor seconds so far."""

    name: str
    pss: int
    cpu_s: float


def measure(session: Session, launch: str, settings: tuple[str, ...]) -> Outcome:
    """Start the launch file in directories of its own, leave it alone, stop it. Raises `ConfigError` if it fails."""
    rounds, idle_s = (1, 15.0) if session.quick else (3, 30.0)
    progress = session.progress(rounds * 3)
    found: list[dict[str, float]] = []
    for number in range(rounds):
        with tempfile.TemporaryDirectory(prefix="sage-bench-") as directory:
            environment = {**os.environ, "SAGE_RUN_DIR": f"{directory}/run", "SAGE_STATE_DIR": f"{directory}/state"}
            progress.advance(0, "starting")
            ready_s = sage(environment, "up", launch, "--detach", *setting(settings))
            try:
                progress.advance(1, "left alone")
                row = {"ready_s": ready_s, **_at_rest(Path(directory) / "run", idle_s)}
            finally:
                progress.advance(1, "stopping")
                down_s = sage(environment, "down")
            progress.advance(1, "stopped")
        found.append({**row, "down_s": down_s})
        session.raw(round=number, **found[-1])
    figures = {name: sorted(row[name] for row in found)[len(found) // 2] for name in found[0]}
    return Outcome(
        figures={**figures, "rounds": rounds, "launch": launch},
        goals=[
            at_most("ready", "all ready, seconds", target=READY_S, measured=figures["ready_s"]),
            at_most("memory", "PSS without the workers, bytes", target=PSS_BYTES, measured=figures["pss_bytes"]),
            at_most(
                "idle", "idle processor, percent of one core", target=IDLE_PERCENT, measured=figures["idle_percent"]
            ),
            at_most("down", "stopped, seconds", target=DOWN_S, measured=figures["down_s"]),
        ],
        text="Medians over rounds. The supervisor and its guard count among the processes; other load slows the start.",
    )


def _at_rest(run_dir: Path, seconds: float) -> dict[str, float]:
    """Memory now, and processor time over the next `seconds`, in which nobody asks anything."""
    before = _weigh(run_dir)
    began = time.monotonic()
    time.sleep(seconds)
    elapsed = time.monotonic() - began
    after = _weigh(run_dir)
    spent = sum(one.cpu_s for one in after) - sum(one.cpu_s for one in before)
    return {
        "pss_bytes": sum(one.pss for one in after if not one.name.startswith(_WORKERS)),
        "workers_pss_bytes": sum(one.pss for one in after if one.name.startswith(_WORKERS)),
        "idle_percent": 100 * spent / elapsed,
        "processes": len(after),
    }


def _weigh(run_dir: Path) -> list[Weight]:
    """Every process of the system, by what the supervisor says of itself and its children."""
    state = json.loads((run_dir / "supervisor.json").read_text())
    pids = {"supervisor": state["pid"], "guard": state["guard"]}
    pids |= {node["name"]: node["pid"] for node in state["nodes"] if node["pid"]}
    return [Weight(name, _pss(pid), processor_s(pid)) for name, pid in pids.items()]


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def sage(environment: dict[str, str], *arguments: str) -> float:
    """Run a verb to its end; the seconds it took. Raises `ConfigError` with its last words."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "runtime.cli", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=_UP_S,
    )
    if done.returncode:
        raise ConfigError(f"`sage {arguments[0]}` ended with status {done.returncode}: {done.stderr[-1000:]}")
    return time.monotonic() - began


def setting(settings: tuple[str, ...]) -> list[str]:
    return [part for setting in settings for part in ("--set", setting)]
