import json

import pytest

from runtime.config import ConfigError
from tests.unit.launch.files import plan

NODES = """\
environment: {COLOUR: blue}
nodes:
  dialogue: {module: nodes.dialogue.node, after: {worker: ready, hub: started}, params: {a: [1, null]}}
  worker:
    module: nodes.worker.node
    threads: 4
    memory: 2GiB
    liveness: off
    after: {hub: ready}
    environment: {OMP_WAIT_POLICY: ACTIVE, DEBUG: true}
  hub: {module: runtime.hub, start: 5s, liveness: 2500ms}
  espeak: {command: [espeak, -q], notify: false}
"""

CIRCLE = """\
nodes:
  a: {module: m, after: {b: ready}}
  b: {module: m, after: {c: ready}}
  c: {module: m, after: {b: started}}
"""


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        plan(text)
    return str(caught.value)


def test_each_process_comes_after_all_it_waits_for() -> None:
    assert [process.name for process in plan(NODES).processes] == ["hub", "espeak", "worker", "dialogue"]


def test_arguments_and_environment_are_exact() -> None:
    found = {process.name: process for process in plan(NODES).processes}
    hub = found["hub"]
    assert hub.argv == ("/usr/bin/python3", "-m", "runtime.hub")
    assert hub.environment == {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "NUMEXPR_NUM_THREADS": "1",
        "RAYON_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
        "PYTHONFAULTHANDLER": "1",
        "PYTHONUNBUFFERED": "1",
        "COLOUR": "blue",
        "SAGE_NODE": "hub",
        "SAGE_RUN_DIR": "/run/sage",
        "SAGE_STATE_DIR": "/var/lib/sage",
        "SAGE_PARAMS": "{}",
        "SAGE_LOG": "json",
        "NOTIFY_SOCKET": "/run/sage/notify",
        "WATCHDOG_USEC": "2500000",
    }
    assert json.loads(found["dialogue"].environment["SAGE_PARAMS"]) == {"a": [1, None]}


def test_a_nodes_own_environment_comes_last() -> None:
    worker = plan(NODES).processes[2]
    assert (worker.environment["OMP_WAIT_POLICY"], worker.environment["DEBUG"]) == ("ACTIVE", "true")
    assert (worker.environment["OMP_NUM_THREADS"], worker.memory) == ("4", 2 << 30)


def test_liveness_can_be_off_while_readiness_is_told() -> None:
    worker = plan(NODES).processes[2]
    assert worker.liveness is None
    assert "WATCHDOG_USEC" not in worker.environment
    assert "NOTIFY_SOCKET" in worker.environment


def test_a_program_that_does_not_notify_is_not_told_how() -> None:
    espeak = plan(NODES).processes[1]
    assert espeak.argv == ("espeak", "-q")
    assert (espeak.notify, espeak.liveness, "NOTIFY_SOCKET" in espeak.environment) == (False, None, False)


def test_a_registered_node_runs_its_module() -> None:
    assert plan("nodes: {a: {node: ears}}").processes[0].argv[-1] == "nodes.ears.node"


def test_waiting_for_a_node_that_is_off_falls_away_and_is_said() -> None:
    found = plan("nodes:\n  a: {module: m, after: {b: ready}}\n  b:\n    module: m\n    when: false\n")
    assert found.processes[0].after == {}
    assert found.notes == ("a does not wait for b, which is off here (a.yaml:5)",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "nodes:\n  hub: {module: m}\n  a:\n    module: m\n    after: {hbu: ready}\n",
            "a.yaml:5: nodes.a.after.hbu: there is no node 'hbu'; did you mean 'hub'?",
        ),
        (CIRCLE, "a.yaml:3: nodes.b.after.c: nodes wait for each other: b → c → b"),
        ("nodes:\n  a: {module: m, after: {a: ready}}\n", "nodes wait for each other: a → a"),
        ("nodes: {}", "a.yaml: no node is left to run"),
        ("nodes:\n  a: {module: m, when: false}\n", "no node is left to run"),
    ],
)
def test_an_impossible_plan_is_refused(text: str, expected: str) -> None:
    assert expected in refusal(text)
