"""Whatever is killed or stopped: the system answers again, no call hangs, nothing is lost, nothing stays behind."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fault.chaos.injuries import KINDS, plan
from tests.fault.chaos.ordeal import ordeal

FIVE = 3162
"""A seed whose first five injuries freeze the ledger, kill hub and worker, and controller and dialogue at once."""
NODES = ["hub", "dialogue", "metabolic_controller", "model_worker/sensory"]


@pytest.fixture
def directory() -> Iterator[Path]:
    """Not pytest's tmp_path: a unix socket's path has at most 107 bytes."""
    made = Path(tempfile.mkdtemp(prefix="sg"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.mark.parametrize("count", [1, 12, 200])
def test_a_plan_has_exactly_so_many_injuries_and_reaches_every_node(count: int) -> None:
    steps = plan(1, count, NODES)
    injuries = [injury for step in steps for injury in step]
    assert len(injuries) == count
    assert all(len({injury.node for injury in step}) == len(step) for step in steps)
    assert {injury.node for injury in injuries} == set(NODES) or count < 2 * len(NODES)
    assert {(injury.node, injury.kind) for injury in injuries} >= {
        (node, kind) for node in NODES for kind in KINDS if count >= 100
    }


def test_a_seed_always_gives_the_same_plan_and_another_seed_another() -> None:
    assert plan(1, 50, NODES) == plan(1, 50, NODES)
    assert plan(1, 50, NODES) != plan(2, 50, NODES)


def test_only_a_pause_ends_by_itself() -> None:
    injuries = [injury for step in plan(3, 100, NODES) for injury in step]
    assert all((injury.pause_s > 0) == (injury.kind == "pause") for injury in injuries)
    assert Counter(injury.kind for injury in injuries).keys() == set(KINDS)


@pytest.mark.parametrize(
    ("injuries", "seed"),
    [
        pytest.param(5, FIVE, marks=pytest.mark.timeout(300)),
        pytest.param(200, 1, marks=[pytest.mark.slow, pytest.mark.timeout(3600)]),
    ],
)
async def test_the_system_outlives_whatever_is_done_to_its_processes(directory: Path, injuries: int, seed: int) -> None:
    report = await ordeal(directory, injuries=injuries, seed=seed, tell=print)
    assert report.violations == []
    assert report.injuries == injuries
