"""The training process itself, woken, killed, bounded and in company: what it leaves is what it would have left alone.

Its processes are forked from one that has loaded torch, so that each starts at once.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from pathlib import Path
from random import Random
from typing import Any

import pytest

from nodes.dream_consolidator.distiller import distill
from nodes.dream_consolidator.distiller.parallel import join
from nodes.dream_consolidator.distiller.training import Trainer
from nodes.dream_consolidator.job import ROUSED, JobFolder
from nodes.dream_consolidator.settings import Settings
from nodes.model_worker.folder import open_folder, weights_digest
from tests.process.dream_consolidator import tiny
from tests.process.dream_consolidator.conftest import Desk, changed, make_desk
from tests.process.dream_consolidator.test_training import lessons, load, train_settings

LEARNING = ("train", "practise")


def settings(**train: object) -> Settings:
    """Two epochs in parts, then a second phase; a checkpoint after nearly every step."""
    learned = changed(tiny.quick(), "train", on_policy=0.5, at_once=128, checkpoint=0.001, **train)
    return changed(learned, "dream", niceness=0)


def process(folder: str, state: str, environment: dict[str, str], fatal: int, steps: int, errors: str) -> None:
    """`distill.main` in a process of its own, which the signal `fatal` meets after so many steps."""
    sys.stderr = Path(errors).open("w", encoding="utf-8")  # noqa: SIM115
    os.environ.update(environment)
    left = steps

    class Report(distill.Reporter):
        def __call__(self, stage: str, done: int, total: int, loss: float | None) -> None:
            nonlocal left
            left -= stage in LEARNING and loss is not None
            if left == 0:
                os.kill(os.getpid(), fatal)

    distill.Reporter = Report  # type: ignore[misc, assignment]
    distill.load_verifiers = lambda: [tiny.TinyVerifier()]  # type: ignore[assignment]
    status = distill.main([folder, state, str(os.getppid())])
    sys.stderr.flush()
    os._exit(status)


class Host:
    """Where the training processes run."""

    def __init__(self, context: ForkServerContext, desk: Desk) -> None:
        self._context, self.desk = context, desk

    def start(
        self,
        folder: JobFolder,
        *,
        fatal: int = 0,
        steps: int = -1,
        environment: dict[str, str] | None = None,
        name: str = "errors",
    ) -> Any:
        errors = str(folder.path / name)
        return self.fork(process, str(folder.path), str(self.desk.state_dir), environment or {}, fatal, steps, errors)

    def run(self, folder: JobFolder, **how: Any) -> int:
        return self.ended(self.start(folder, **how))

    def fork(self, function: Callable[..., None], *arguments: Any) -> Any:
        child = self._context.Process(target=function, args=arguments)
        child.start()
        return child

    def ended(self, child: Any) -> int:
        """The status it ends with."""
        child.join(100)
        assert child.exitcode is not None, "it hangs"
        return int(child.exitcode)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Host:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "transformers.models.qwen2.modeling_qwen2", "accelerate"])
    return Host(context, make_desk(tmp_path_factory.mktemp("host"), models))


def learned(folder: JobFolder) -> str:
    return weights_digest(open_folder(folder.candidate))


@pytest.fixture(scope="module")
def whole(host: Host) -> JobFolder:
    """A dream that nothing ever interrupted."""
    folder = host.desk.folder("whole", settings())
    assert host.run(folder) == 0
    return folder


def interrupted(host: Host, folder: JobFolder, random: Random, times: int) -> None:
    """Wake or kill the dream again and again, each time some steps further, and then let it end."""
    for time in range(times):
        fatal = signal.SIGKILL if time % 2 else signal.SIGTERM
        status = host.run(folder, fatal=fatal, steps=random.randint(1, 3))
        assert status == (ROUSED if fatal == signal.SIGTERM else -signal.SIGKILL), time
    assert host.run(folder) == 0


def test_a_dream_woken_and_killed_ends_in_the_same_bits(host: Host, whole: JobFolder) -> None:
    outcome = whole.outcome()
    assert outcome is not None
    assert outcome.practised > 0
    broken = host.desk.folder("broken", settings())
    interrupted(host, broken, Random(1), 3)
    assert learned(broken) == learned(whole)
    assert broken.outcome() == outcome


@pytest.mark.slow
@pytest.mark.parametrize("how", [{}, {"method": "lora", "recompute": True, "loss": "jsd"}], ids=["full", "lora"])
def test_a_dream_interrupted_twenty_times_ends_in_the_same_bits(host: Host, how: dict[str, object]) -> None:
    alone, broken = (host.desk.folder(f"{name} {len(how)}", settings(epochs=8, **how)) for name in ("alone", "twenty"))
    assert host.run(alone) == 0
    interrupted(host, broken, Random(2), 20)
    assert learned(broken) == learned(alone)
    assert broken.outcome() == alone.outcome()


def test_nothing_that_the_student_answered_lies_open(whole: JobFolder) -> None:
    own = list(whole.path.glob("own-*"))
    assert own
    assert all(file.suffix == ".sealed" for file in own)


def test_too_little_memory_is_said_and_changes_nothing(host: Host) -> None:
    folder = host.desk.folder("narrow", settings(memory=64 << 20))
    assert host.run(folder) == 1
    said = (folder.path / "errors").read_text().rstrip().rpartition("\n")[2]
    assert "the training process ran out of its 64MiB" in said
    assert "train.memory" in said
    assert folder.outcome() is None
    assert not folder.candidate.exists()


def beside(rank: int, port: int) -> dict[str, str]:
    """The environment that `torchrun` gives to one of two processes."""
    ranks = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    return {**ranks, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def company(host: Host, folder: JobFolder, **fatal: int) -> list[int]:
    """Run the dream in two processes, the first of which may meet a signal; the statuses of both."""
    port = free_port()
    started = [
        host.start(folder, environment=beside(rank, port), name=f"errors-{rank}", **({} if rank else fatal))
        for rank in range(2)
    ]
    return [host.ended(child) for child in started]


def test_two_processes_stop_together_and_go_on_to_the_same_end(host: Host, whole: JobFolder) -> None:
    folder = host.desk.folder("company", settings())
    assert company(host, folder, fatal=signal.SIGTERM, steps=3) == [ROUSED, ROUSED]
    assert folder.checkpoint.exists()
    assert company(host, folder) == [0, 0]
    alone, together = whole.outcome(), folder.outcome()
    assert alone is not None
    assert together is not None
    assert (together.steps, together.practised, together.taught) == (alone.steps, alone.practised, alone.taught)


def gradient(models: str, environment: dict[str, str], path: str) -> None:
    """Leave at `path` the gradient of a batch of twelve, of which this process may compute a part."""
    from safetensors.torch import save_file

    os.environ.update(environment)
    data = lessons(Path(models))
    learner = Trainer(load(Path(models), "small").model, data, data, train_settings(), seed=5, crew=join("cpu"))
    found = {}
    for name, batch in (("all", list(range(12))), ("one", [7])):
        learner.accumulate(batch)
        grads = {key: each.grad for key, each in learner.model.named_parameters() if each.grad is not None}
        found |= {f"{name}.{key}": each.clone() for key, each in grads.items()}
    save_file(found, path)


def test_two_processes_have_the_gradient_of_one_even_where_one_has_no_lesson(
    host: Host, models: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file
    from torch.testing import assert_close

    port = free_port()
    environments = {"alone": {}, "first": beside(0, port), "second": beside(1, port)}
    children = [
        host.fork(gradient, str(models), environment, str(tmp_path / name))
        for name, environment in environments.items()
    ]
    assert [host.ended(child) for child in children] == [0, 0, 0]
    alone, first, second = (load_file(tmp_path / name) for name in environments)
    assert any(float(each.abs().max()) > 0.01 for each in alone.values())
    for name, exact in alone.items():
        assert_close(first[name], exact, atol=1e-6, rtol=1e-4, msg=name)
        assert_close(second[name], first[name], atol=0, rtol=0, msg=name)
