"""What a level costs, from differences between requests; figures come from a sensor that counts what a test says."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from nodes.model_worker import calibrate as calibration
from nodes.model_worker.calibrate import Plan
from nodes.model_worker.calibrate_commands import calibrate
from nodes.model_worker.effort import Effort, Gauge, Mark
from nodes.model_worker.errors import ModelUnfit
from nodes.model_worker.levels import Level
from runtime.clock import VirtualClock
from runtime.power import MeterError, costs
from tests.unit.model_worker.test_effort import Counter


class Tariff(Gauge):
    """Takes 1 J for a request, 10 mJ for each token read and 100 mJ for each token said; 7 J for a load."""

    def __init__(self) -> None:
        super().__init__(VirtualClock(), lambda _device: None)
        self.spent = 0.0
        self.loading = True

    def begin(self) -> Mark:
        return Mark(0.0, self.spent, 0)

    def since(self, mark: Mark) -> Effort:
        joules = self.spent - (mark.joules or 0.0) + (7.0 if self.loading else 0.0)
        return Effort(cpu_s=joules / 10, joules=joules, source="rapl", seconds=joules)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting a process that loads the model takes 12 J, and is not done."""
    took = Effort(cpu_s=3.0, joules=12.0, source="rapl", seconds=3.0)
    monkeypatch.setattr(calibration, "starting", lambda _level, _gauge: took)


def test_what_starting_a_process_takes_is_measured_by_starting_one(level: Level, monkeypatch):
    gauge = Gauge(VirtualClock(), lambda _device: Counter())
    gauge.use("cpu")
    took = calibration.starting(level, gauge)
    assert (took.joules, took.source) == (3.0, "rapl")
    assert took.cpu_s > 0
    monkeypatch.setattr(calibration, "STARTER", "nodes.model_worker.nowhere")
    with pytest.raises(ModelUnfit, match=r"ended with status 1: .*nowhere"):
        calibration.starting(level, gauge)


@pytest.mark.usefixtures("started")
def test_costs_are_told_apart(level: Level, monkeypatch):
    tariff = Tariff()
    generate = calibration.Engine.generate

    def counted(engine, request):
        tariff.loading = False
        generated = generate(engine, request)
        tariff.spent += 1.0 + 0.01 * len(request.ids) + 0.1 * generated.tokens_generated
        return generated

    monkeypatch.setattr(calibration.Engine, "generate", counted)
    found = calibration.calibrate(level, quick=True, seed=3, clock=VirtualClock(), gauge=tariff)
    assert (found.source, found.device, found.max_new_tokens) == ("rapl", "cpu", 12)
    assert found.load.joules == pytest.approx(7.0)
    assert found.start.joules == pytest.approx(12.0 - 7.0), "beside the load"
    assert found.prefill.joules == pytest.approx(10.0)
    assert found.decode.joules == pytest.approx(100.0)
    assert found.answer.joules == pytest.approx(1.0)
    assert found.of_answer(int(found.characters_per_token * 1000), 10).joules == pytest.approx(1 + 10 + 1, abs=0.05)


def test_requests_fit_into_small_contexts(level: Level):
    plan = Plan.within(level, 40, quick=False)
    assert plan.long + plan.said < 40
    assert 0 < plan.short < plan.long
    with pytest.raises(ModelUnfit, match="too short to measure"):
        Plan.within(level, 4, quick=False)


@pytest.mark.usefixtures("started")
def test_a_sensor_that_fails_meanwhile_spoils_the_measurement(level: Level, monkeypatch):
    gauge = Tariff()
    gauge.failed = 1
    with pytest.raises(MeterError, match="could not be read throughout"):
        calibration.calibrate(level, quick=True, seed=3, clock=VirtualClock(), gauge=gauge)


def test_a_level_that_runs_elsewhere_is_refused():
    far = Level(name="far", model="m", backend="openai", url="http://x/v1", context=10, max_new_tokens=2)
    with pytest.raises(ModelUnfit, match="cannot be measured here"):
        calibration.calibrate(far, quick=True, seed=0, clock=VirtualClock())


@pytest.mark.usefixtures("started")
def test_the_command_writes_what_it_measured_and_keeps_other_levels(folder: Path, tmp_path: Path, monkeypatch):
    (tmp_path / "state").mkdir(mode=0o700)
    monkeypatch.setenv("SAGE_STATE_DIR", str(tmp_path / "state"))
    levels = tmp_path / "levels.yaml"
    one = f"{{model: {folder}, device: cpu, dtype: float32, context: 200, max_new_tokens: 12"
    levels.write_text(f"levels:\n  - {one}, name: a}}\n  - {one}, name: b}}\n")
    for name in "ab":
        done = CliRunner().invoke(calibrate, ["--levels", str(levels), "--level", name, "--quick", "--json"])
        assert done.exit_code == 0, done.output
        told = json.loads(done.stdout)
        assert (told["level"], told["source"]) == (name, told["source"])
        assert told["decode"]["cpu_s"] > 0
    written = costs.load(tmp_path / "state" / costs.FILE)
    assert list(written.levels) == ["a", "b"]
    assert written.levels["a"].version
    shown = CliRunner().invoke(calibrate, ["--levels", str(levels), "--level", "a", "--quick"])
    assert "1,000 tokens read" in shown.output
    assert "a start beside a load" in shown.output
    late = CliRunner().invoke(calibrate, ["--levels", str(levels), "--quick", "--timeout", "0.000001"])
    assert late.exit_code == 4
