"""Nothing is ever left running, whoever is killed and however far a process has gone from its parent."""

import os
import signal
from collections.abc import Callable

import pytest

from tests.process.supervisor.system import System, child, gone

Make = Callable[[str], System]

FAMILY = f"""\
nodes:
  hub: {{command: {child("live")}}}
  trainer: {{command: {child("breed", "live")}, backoff: {{first: 1ms}}}}
"""


def family(system: Make) -> tuple[System, list[int]]:
    """A running system and every process of it but its two own, descendants of a node included."""
    running = system(FAMILY).up()
    running.until("supervisor.ready")
    bred = running.has("bred")["pids"]
    everyone = running.processes()
    assert set(bred) < set(everyone)
    assert len(everyone) == 2 + 2 + 3
    own = {running.guard, running.state().pid}
    return running, [pid for pid in everyone if pid not in own]


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSEGV])
def test_no_orphan_when_the_supervisor_is_killed(system: Make, sign: signal.Signals) -> None:
    running, everyone = family(system)
    os.kill(running.state().pid, sign)
    assert gone(everyone)
    assert running.ended() == 130
    assert running.processes() == []


def test_no_orphan_when_the_guard_is_killed_everything_stops_in_order(system: Make) -> None:
    running, everyone = family(system)
    supervisor = running.state().pid
    os.kill(running.guard, signal.SIGKILL)
    assert gone([*everyone, supervisor])
    assert running.processes() == []
    logs = (running.directory / "state/logs/supervisor.jsonl").read_text()
    assert '"reason":"SIGTERM"' in logs
    assert '"event":"supervisor.ended","exit":0' in logs


def test_no_orphan_when_all_stop_in_order(system: Make) -> None:
    running, everyone = family(system)
    running.signal(signal.SIGTERM)
    assert running.ended() == 0
    assert gone(everyone)
    assert running.processes() == []


def test_descendants_end_with_their_node_before_it_is_restarted(system: Make) -> None:
    running, _ = family(system)
    first = running.has("bred")["pids"]
    trainer = running.node("trainer").pid
    assert trainer is not None
    os.kill(trainer, signal.SIGKILL)
    second = running.until("bred")["pids"]
    assert gone(first)
    assert not set(first) & set(second)
    assert len(running.processes()) == 2 + 2 + 3


def test_nothing_is_left_open_by_many_restarts(system: Make) -> None:
    running = system(f"nodes:\n  ears: {{command: {child('mutter', 'live')}}}").up()
    running.until("supervisor.ready")
    supervisor = running.state().pid

    def descriptors() -> int:
        return len(os.listdir(f"/proc/{supervisor}/fd"))

    before = descriptors()
    for _ in range(4):
        assert running.do("node", "restart", "ears").returncode == 0
        running.until("node.ready", about="ears")
    assert descriptors() <= before  # a connection of ours may have been open when we looked first


def test_a_terminal_that_does_not_read_stops_neither_the_watch_nor_the_cleaning_up(system: Make) -> None:
    running = system(f"nodes:\n  ears: {{command: {child('flood', 'live')}}}").up()
    while not (running.run_dir / "flooded").exists():  # what the child prints is taken, though nobody reads ours
        pass
    state = running.state()
    everyone = [pid for pid in running.processes() if pid != running.guard]
    assert state.pid in everyone
    os.kill(state.pid, signal.SIGKILL)
    assert gone(pid for pid in everyone if pid != state.pid)
    assert running.ended() == 130
