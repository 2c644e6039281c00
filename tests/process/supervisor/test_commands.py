"""The verbs, against true systems."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest

from runtime.supervisor import logview
from runtime.supervisor.control import BadControl, NotRunning, Request, ask
from tests.process.supervisor.system import System, child, gone

Make = Callable[[str], System]

TWO = f"""\
nodes:
  hub: {{command: {child("live")}}}
  model_worker/sensory: {{command: {child("live")}, after: {{hub: ready}}}}
"""
SENSORY = "model_worker/sensory"


@pytest.fixture
def running(system: Make) -> System:
    one = system(TWO).up()
    one.until("supervisor.ready")
    return one


def test_a_node_is_restarted_stopped_and_started(running: System) -> None:
    before = running.node(SENSORY).pid
    assert running.do("node", "restart", SENSORY).stdout == f"{SENSORY} is ready\n"
    assert running.node(SENSORY).pid != before
    assert running.do("node", "stop", SENSORY).stdout == f"{SENSORY} is stopped: asked to\n"
    assert (running.node(SENSORY).pid, running.node("hub").phase) == (None, "ready")
    started = running.do("node", "start", SENSORY, "--json")
    assert json.loads(started.stdout)["phase"] == "ready"
    assert running.node(SENSORY).restarts == 0


def test_nodes_are_listed(running: System) -> None:
    listed = running.do("node", "list", "--json").stdout.splitlines()
    assert [(node["name"], node["phase"]) for node in map(json.loads, listed)] == [("hub", "ready"), (SENSORY, "ready")]
    assert "restarts" in running.do("node", "list").stdout


def test_an_unknown_node_is_refused_with_a_suggestion(running: System) -> None:
    refused = running.do("node", "restart", "model_worker/sensor")
    assert refused.returncode == 1
    assert f"there is no node 'model_worker/sensor'; did you mean '{SENSORY}'?" in refused.stderr


def test_a_node_that_fails_is_reported(system: Make) -> None:
    running = system(
        f"nodes:\n  a: {{command: {child('live')}}}\n  b: {{command: {child('crash_first')}, restart: never}}"
    ).up()
    running.until("node.failed", about="b")
    failed = running.do("node", "start", "b")
    assert (failed.returncode, failed.stderr) == (1, "b is failed: exited with 4 before it was ready\n")


def test_down_returns_when_nothing_is_left(running: System) -> None:
    everyone = running.processes()
    stopped = running.do("down")
    assert (stopped.returncode, stopped.stdout[:13]) == (0, "stopped after")
    assert gone(everyone)
    assert running.ended() == 0


def test_down_kill_stops_even_a_supervisor_that_stands_still(running: System) -> None:
    supervisor = running.state().pid
    os.kill(supervisor, signal.SIGSTOP)
    everyone = running.processes()
    assert running.do("down", "--kill").returncode == 0
    assert gone(everyone)
    assert running.ended() == 130


def test_where_nothing_runs_every_verb_says_so(system: Make) -> None:
    idle = system(TWO)
    for verb in (["down"], ["down", "--kill"], ["node", "list"], ["node", "restart", "hub"]):
        refused = idle.do(*verb)
        assert refused.returncode == 3
        assert "runs here" in refused.stderr
    with pytest.raises(NotRunning):
        ask(idle.run_dir, Request("status"))


def test_nothing_is_started_while_everything_is_being_stopped(system: Make) -> None:
    running = system(
        f"nodes:\n  mule: {{command: {child('stubborn')}, stop_grace: 1h}}\n  a: {{command: {child('live')}}}"
    ).up()
    running.until("supervisor.ready")
    running.signal(signal.SIGTERM)
    running.until("node.stopped", about="a")
    with pytest.raises(BadControl, match="everything is being stopped"):
        ask(running.run_dir, Request("start", "a"))
    running.signal(signal.SIGTERM)
    assert running.ended() == 130


def test_a_malformed_request_harms_nothing(running: System) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(running.run_dir / "supervisor.sock"))
        for data in (b"not json\n", b'{"do": "dance"}\n', b'{"do": "status", "extra": 1}\n', b"\xff\n"):
            connection.sendall(data)
            assert b'"code":"control"' in connection.recv(65536)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(running.run_dir / "supervisor.sock"))
        connection.sendall(b"x" * 100_000)
        assert connection.recv(1) == b""
    assert running.node("hub").phase == "ready"
    running.signal(signal.SIGTERM)
    assert running.ended() == 0


def test_detached_it_returns_once_all_are_ready_and_goes_on(system: Make) -> None:
    idle = system(TWO)
    started = idle.do("up", str(idle.file), "--detach", "--json")
    assert (started.returncode, json.loads(started.stdout)["ready"]) == (0, True)
    assert [node.phase for node in idle.state().nodes] == ["ready", "ready"]
    assert json.loads(started.stdout)["pid"] == idle.state().guard
    assert idle.do("up", str(idle.file), "--detach").returncode == 3
    everyone = idle.processes()
    assert idle.do("down").returncode == 0
    assert gone(everyone)


def test_detached_it_shows_why_it_is_not_ready(system: Make) -> None:
    idle = system(TWO + f"  ears: {{command: {child('crash_first')}, restart: never}}\n")
    started = idle.do("up", str(idle.file), "--detach")
    assert started.returncode == 4
    assert "not ready: ears: exited with 4 before it was ready" in started.stderr
    assert "  cannot find the model" in started.stderr
    assert idle.do("down").returncode == 0


def test_detached_it_does_not_wait_for_ever(system: Make) -> None:
    idle = system(f"nodes:\n  ears: {{command: {child('hang')}}}")
    started = idle.do("up", str(idle.file), "--detach", "--timeout", "0.3")
    assert started.returncode == 4
    assert "not ready within 0.3 s" in started.stderr
    assert idle.do("down", "--kill").returncode == 0


def test_a_wrong_file_is_refused_with_its_place(system: Make) -> None:
    idle = system("nodes:\n  ears: {command: [x], restart: alwys}\n")
    refused = idle.do("up", str(idle.file))
    assert refused.returncode == 2
    assert f"{idle.file}:2: nodes.ears.restart: 'alwys' is not one of" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_what_is_hard_to_keep_is_kept(system: Make) -> None:
    running = system(f"nodes:\n  ears: {{command: {child('mutter', 'live')}}}").up()
    running.until("supervisor.ready")
    running.signal(signal.SIGTERM)
    assert running.ended() == 0
    entries = list(logview.history(running.directory / "state", ["ears"], logview.wanted()))
    texts = [entry["text"] for entry in entries if "text" in entry]
    assert texts[:2] == ["caf\\xe9", "\x1b[2J"]
    assert "".join(texts[2:-1]) == "x" * 200_000
    assert texts[-1] == "no end of line"
    structured = next(entry for entry in entries if entry.get("event") == "structured")
    assert (structured["n"], structured["stream"], structured["pid"]) == (
        1,
        "stdout",
        running.record("structured", "ears")["pid"],
    )
    shown = running.do("logs", "--node", "ears", "--grep", "structured|caf")
    assert shown.stdout.splitlines() == ["ears │ caf\\xe9", "ears │ info    structured n=1"]


def test_logs_can_be_followed(running: System) -> None:
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from runtime.supervisor.commands import logs; logs()",
            "-f",
            "-n",
            "1",
            "--json",
            "--node",
            "supervisor",
        ],
        env=running.environment,
        stdout=subprocess.PIPE,
    ) as follower:
        assert follower.stdout is not None
        before = follower.stdout.readline()  # from here on it follows
        assert running.do("node", "restart", "hub").returncode == 0
        fresh = follower.stdout.readline()
        assert json.loads(fresh)["node"] == "supervisor"
        assert fresh != before
        follower.kill()


def test_a_dry_run_shows_everything_and_runs_nothing(system: Make) -> None:
    idle = system(TWO)
    whole, hub, sensory = map(json.loads, idle.do("up", str(idle.file), "--dry-run", "--json").stdout.splitlines())
    assert whole["endpoints"]["calls"] == f"ipc://{idle.run_dir}/calls"
    assert hub["argv"] == json.loads(child("live"))
    assert (sensory["environment"]["SAGE_NODE"], sensory["after"]) == (SENSORY, {"hub": "ready"})
    shown = idle.do("up", str(idle.file), "--dry-run").stdout
    assert "after hub ready; ready within 30s; a beat every 10s" in shown
    assert idle.processes() == []


def test_the_supervisor_is_light() -> None:
    program = (
        "import sys, runtime.supervisor.begin, runtime.supervisor.commands, runtime.launch.load\n"
        "print(*sorted({'zmq', 'torch', 'numpy', 'structlog', 'cryptography'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
