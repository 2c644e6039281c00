"""The published sizes of Qwen2.5 are the reference: 494, 1,544 and 3,086 million parameters, KV bytes per token."""

from pathlib import Path

import msgspec
import pytest

from nodes.model_worker import fits, levels
from nodes.model_worker.fits import GPU_16GB, JETSON_8GB, Host, budget, demand, demands
from nodes.model_worker.levels import Level

QWEN = levels.load("configs/levels.qwen.yaml")


@pytest.mark.parametrize(
    ("name", "parameters", "kv_per_token"),
    [("sensory", 494_032_768, 12_288), ("tactical", 1_543_714_304, 28_672), ("specialized", 3_085_938_688, 36_864)],
)
def test_the_shapes_give_the_published_parameters_and_state(name: str, parameters: int, kv_per_token: int) -> None:
    shape = QWEN.by_name(name).shape
    assert shape is not None
    assert fits.parameters(shape) == parameters
    assert fits.kv_bytes_per_token(shape, 2) == kv_per_token


def test_a_jetson_holds_the_two_smaller_ones_and_a_16_gb_card_all_three() -> None:
    jetson = budget(demands(QWEN, cuda=True), JETSON_8GB)
    card = budget(demands(QWEN, cuda=True), GPU_16GB)
    assert jetson.resident == ("sensory", "tactical")
    assert not jetson.together
    assert jetson.left < 0
    assert card.together
    assert card.resident == ("sensory", "tactical", "specialized")


def test_a_level_too_large_for_the_host_is_called_impossible_with_no_context_that_fits() -> None:
    small = Host("small", memory=2 << 30, reserved=0)
    result = budget(demands(QWEN), small)
    assert result.impossible == ("tactical", "specialized")
    assert result.fits[-1].longest_context == 0


def test_the_longest_context_fills_the_host_and_no_more() -> None:
    host = Host("some", memory=4 << 30, reserved=1 << 30)
    fit = budget(demands(QWEN)[:1], host).fits[0]
    used = fit.runtime + fit.demand.without_state + fit.longest_context * fit.demand.kv_per_token
    assert 0 <= host.available - used < fit.demand.kv_per_token


def test_state_is_the_budget_or_one_full_conversation_if_that_is_more() -> None:
    level = QWEN.by_name("sensory")
    assert demand(level).state == level.state
    long = msgspec.structs.replace(level, context=32_768)
    assert demand(long).state == 32_768 * 12_288


def test_a_folder_is_weighed_by_its_files_in_the_dtype_it_will_run_in(folder: Path, level: Level) -> None:
    stored = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    assert demand(level).weights == stored
    assert demand(msgspec.structs.replace(level, dtype="bfloat16")).weights == stored // 2


def test_a_model_that_is_not_here_is_a_problem_not_a_guess(level: Level) -> None:
    absent = msgspec.structs.replace(level, model="/nowhere")
    result = budget([demand(absent)], GPU_16GB)
    assert "no such folder" in result.fits[0].demand.problem
    assert not result.together
    assert result.resident == ()


def test_the_table_has_a_row_for_each_host_and_level() -> None:
    rows = fits.table([budget(demands(QWEN, cuda=True), host) for host in (JETSON_8GB, GPU_16GB)])
    assert [(row["host"], row["level"], row["resident"]) for row in rows] == [
        ("Jetson 8 GB", "sensory", True),
        ("Jetson 8 GB", "tactical", True),
        ("Jetson 8 GB", "specialized", False),
        ("GPU 16 GB", "sensory", True),
        ("GPU 16 GB", "tactical", True),
        ("GPU 16 GB", "specialized", True),
    ]
