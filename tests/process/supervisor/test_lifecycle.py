"""Starting, stopping and failing, with true processes."""

import os
import signal
from collections.abc import Callable

from tests.process.supervisor.system import System, child, gone

Make = Callable[[str], System]
SIGINT, SIGTERM, SIGKILL, SIGSTOP = signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP

THREE = f"""\
nodes:
  dialogue: {{command: {child("live")}, after: {{worker: ready}}}}
  worker: {{command: {child("live")}, after: {{hub: ready}}}}
  hub: {{command: {child("live")}}}
"""


def test_starts_in_order_and_stops_in_reverse(system: Make) -> None:
    running = system(THREE).up()
    running.until("supervisor.ready")
    assert [node.phase for node in running.state().nodes] == ["ready"] * 3
    running.signal(SIGINT)
    assert running.ended() == 0
    assert running.told("node.starting", "node.ready", "node.stopped") == [
        ("node.starting", "hub"),
        ("node.ready", "hub"),
        ("node.starting", "worker"),
        ("node.ready", "worker"),
        ("node.starting", "dialogue"),
        ("node.ready", "dialogue"),
        ("node.stopped", "dialogue"),
        ("node.stopped", "worker"),
        ("node.stopped", "hub"),
    ]
    assert running.processes() == []


def test_a_second_system_in_the_same_place_learns_of_the_first(system: Make) -> None:
    running = system(THREE).up()
    running.until("supervisor.ready")
    second = running.do("up", str(running.file))
    assert second.returncode == 3
    assert f"is held by process {running.guard} (" in second.stderr
    assert "sage down" in second.stderr
    assert running.state().nodes[0].phase == "ready"


def test_what_a_killed_system_left_does_not_hinder_the_next(system: Make) -> None:
    running = system(THREE).up()
    running.until("supervisor.ready")
    os.kill(running.state().pid, SIGKILL)
    assert running.ended() == 130
    again = running.up()
    again.until("supervisor.ready")
    again.signal(SIGTERM)
    assert again.ended() == 0


def test_one_that_ignores_sigterm_is_killed_after_its_grace(system: Make) -> None:
    running = system(f"nodes:\n  mule: {{command: {child('stubborn')}, stop_grace: 200ms}}").up()
    running.until("supervisor.ready")
    running.signal(SIGTERM)
    assert running.ended() == 0
    assert running.record("node.stopped", "mule")["exit"] == -SIGKILL


def test_a_second_ctrl_c_kills(system: Make) -> None:
    running = system(f"nodes:\n  mule: {{command: {child('stubborn')}, stop_grace: 1h}}\nshutdown: 1h").up()
    running.until("supervisor.ready")
    running.signal(SIGINT)
    running.until("supervisor.stopping")
    running.signal(SIGINT)
    assert running.ended() == 130
    assert running.told("node.killed") == [("node.killed", "mule")]
    assert running.processes() == []


def test_shutdown_has_one_deadline_for_all(system: Make) -> None:
    running = system(
        f"nodes:\n  a: {{command: {child('stubborn')}, stop_grace: 1h}}\n"
        f"  b: {{command: {child('stubborn')}, stop_grace: 1h, after: {{a: ready}}}}\nshutdown: 300ms"
    ).up()
    running.until("supervisor.ready")
    running.signal(SIGTERM)
    assert running.ended() == 0
    assert {node for _, node in running.told("node.killed")} == {"a", "b"}


def test_a_stop_while_starting_starts_nothing_more(system: Make) -> None:
    running = system(THREE.replace(child("live"), child("wait_to_be_ready", "live"))).up()
    running.until("node.starting", about="hub")
    running.signal(SIGTERM)
    running.until("supervisor.stopping")
    (running.run_dir / "go").touch()  # had it been let, it would be ready now, and the next would start
    assert running.ended() == 0
    assert running.told("node.starting") == [("node.starting", "hub")]


def test_one_that_crashes_is_restarted_and_given_up_in_the_end(system: Make) -> None:
    running = system(
        f"nodes:\n  ears:\n    command: {child('crash')}\n"
        "    backoff: {first: 1ms}\n    intensity: {restarts: 2, within: 1h}\n"
    ).up()
    failed = running.until("node.failed")
    assert failed["reason"] == "exited with 3; given up after 2 restarts within 1h"
    assert failed["last"] == ["all is lost"]
    assert running.ended() == 1
    assert len(running.told("node.restarting")) == 2


def test_the_other_nodes_go_on_without_a_failed_one(system: Make) -> None:
    running = system(
        f"nodes:\n  ears: {{command: {child('crash')}, restart: never}}\n  hub: {{command: {child('live')}}}\n"
    ).up()
    running.has("node.failed", about="ears")
    running.has("node.ready", about="hub")
    running.signal(SIGTERM)
    assert running.ended() == 1


def test_the_whole_falls_with_a_node_that_says_so(system: Make) -> None:
    running = system(THREE.replace("  hub: {", "  hub: {restart: never, escalation: whole, ")).up()
    running.until("supervisor.ready")
    hub = running.node("hub").pid
    assert hub is not None
    os.kill(hub, SIGKILL)
    assert running.ended() == 1
    assert running.record("node.failed", "hub")["reason"] == "was killed by SIGKILL"
    assert {node for _, node in running.told("node.stopped")} == {"worker", "dialogue"}


def test_dependants_fall_with_a_node_that_says_so(system: Make) -> None:
    running = system(THREE.replace("  worker: {", "  worker: {restart: never, escalation: dependants, ")).up()
    running.until("supervisor.ready")
    worker = running.node("worker").pid
    assert worker is not None
    os.kill(worker, SIGKILL)
    running.until("node.stopped", about="dialogue")
    dialogue = running.node("dialogue")
    assert (dialogue.phase, dialogue.reason, running.node("hub").phase) == ("stopped", "worker failed", "ready")


def test_one_that_cannot_be_run_says_why(system: Make) -> None:
    running = system("nodes:\n  ghost: {command: [/no/such/program]}").up()
    assert running.until("node.failed")["reason"] == "cannot run '/no/such/program': No such file or directory"
    assert running.ended() == 1


def test_one_that_hangs_while_starting_shows_where(system: Make) -> None:
    running = system(f"nodes:\n  ears: {{command: {child('hang')}, start: 2s, restart: never}}").up()
    failed = running.until("node.failed")
    assert failed["reason"] == "not ready within 2s"
    assert any("child.py" in line and "in hang" in line for line in failed["last"])
    assert running.ended() == 1


def test_one_that_stands_still_is_killed_and_restarted(system: Make) -> None:
    running = system(f"nodes:\n  ears: {{command: {child('live')}, liveness: 1500ms, backoff: {{first: 1ms}}}}").up()
    running.until("supervisor.ready")
    stopped = running.node("ears").pid
    assert stopped is not None
    os.kill(stopped, SIGSTOP)
    assert running.until("node.restarting")["reason"] == "gave no sign of life for 1.5s"
    running.until("node.ready", about="ears")
    assert gone([stopped])
    assert running.node("ears").restarts >= 1


def test_limits_are_kept(system: Make) -> None:
    running = system(
        f"nodes:\n  glutton: {{command: {child('devour')}, memory: 256MiB, restart: never}}\n"
        f"  calm: {{command: {child('show', 'live')}, nice: 7}}\n"
    ).up()
    assert running.until("node.failed", about="glutton")["last"][-1] == "refused"
    shown = running.has("shown", node="calm")
    running.signal(SIGTERM)
    assert running.ended() == 1
    assert (shown["nice"], shown["session"]) == (7, shown["pid"])
