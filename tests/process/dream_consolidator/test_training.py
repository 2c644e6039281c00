"""The loop on a tiny model: every step can be the last before a pause, and low-rank changes become plain weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nodes.dream_consolidator import settings as configuration
from nodes.dream_consolidator.distiller.targets import Target, answer_logits, distributions, encode
from nodes.dream_consolidator.distiller.training import Lessons, Trainer, peak_rate, schedule
from nodes.dream_consolidator.selection.select import Lesson
from nodes.model_worker import loading
from protocol.messages.model import ChatMessage
from tests.process.dream_consolidator import tiny
from tests.process.dream_consolidator.conftest import changed

STEPS = 6


def train_settings(**changes: object) -> configuration.Train:
    return changed(configuration.load(), "train", epochs=2, batch=4, evaluate=2, rank=2, **changes).train


def load(models: Path, name: str) -> loading.LoadedModel:
    return loading.load(tiny.level(name, models / name))


def lesson(question: str, answer: str, **changes: object) -> Lesson:
    messages = (ChatMessage(role="user", content=question),)
    return Lesson(**{"ident": question, "messages": messages, "answer": answer, "source": "teacher", **changes})


def lessons(models: Path) -> Lessons:
    """Twelve lessons of unlike lengths with the big model's distribution."""
    big = load(models, "big")
    items = [
        *(encode(big, lesson(each, tiny.right_answer(each))) for each in tiny.questions("swap")[:8]),
        *(encode(big, lesson(f"{each} please", "ash")) for each in tiny.questions("copy")[:4]),
    ]
    targets: list[Target] = []
    for part in distributions(big, items, k=8, batch=5, check=lambda: None):
        targets += part
    return Lessons(items, targets)


def trainer(models: Path, data: Lessons, method: str) -> Trainer:
    return Trainer(load(models, "small").model, data, data, train_settings(method=method), seed=5)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_training_paused_after_every_step_gives_the_same_bits(models: Path, tmp_path: Path, method: str) -> None:
    data = lessons(models)
    whole = trainer(models, data, method)
    assert whole.steps == STEPS
    losses = [whole.step() for _ in range(STEPS)]
    whole.keep_best()
    paused_losses = []
    for _ in range(STEPS):
        paused = trainer(models, data, method)
        paused.resume(tmp_path / "checkpoint")
        paused_losses.append(paused.step())
        paused.save(tmp_path / "checkpoint")
    assert paused.over
    paused.keep_best()
    assert paused_losses == losses
    for (name, one), (_, other) in zip(whole.model.named_parameters(), paused.model.named_parameters(), strict=True):
        assert torch.equal(one, other), name


def test_low_rank_training_changes_the_inner_matrices_and_leaves_an_ordinary_model(models: Path) -> None:
    data = lessons(models)
    before = dict(load(models, "small").model.named_parameters())
    low = trainer(models, data, "lora")
    full = trainer(models, data, "full")
    assert low.trained < full.trained / 2
    while not low.over:
        low.step()
    low.keep_best()
    after = dict(low.model.named_parameters())
    assert after.keys() == before.keys()
    moved = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert moved
    assert all("_proj.weight" in name for name in moved)


def test_an_answer_is_read_alike_alone_and_beside_longer_ones(models: Path) -> None:
    small, data = load(models, "small"), lessons(models)
    with torch.inference_mode():
        together = answer_logits(small.model, data.items)
        for row, item in enumerate(data.items):
            alone = answer_logits(small.model, [item])[0]
            torch.testing.assert_close(together[row, -len(item.answer) :], alone, atol=1e-5, rtol=1e-5)


def test_training_brings_the_student_nearer_to_the_teacher(models: Path) -> None:
    data = lessons(models)
    learner = Trainer(load(models, "small").model, data, data, train_settings(method="full", rate=5e-3), seed=5)
    losses = [learner.step() for _ in range(STEPS)]
    assert losses[-1] < losses[0]


def test_it_stops_early_when_looks_bring_no_progress_and_keeps_the_best(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = lessons(models)
    learner = Trainer(load(models, "small").model, data, data, train_settings(method="full", patience=1), seed=5)
    scores = iter([(0.5, -1.0), (0.5, -2.0)])
    monkeypatch.setattr(learner, "_development_score", lambda: next(scores))
    weights = []
    while not learner.over:
        learner.step()
        weights.append([parameter.detach().clone() for parameter in learner.model.parameters()])
    assert (learner.state.step, learner.state.best_step) == (4, 2)
    learner.keep_best()
    for kept, best in zip(learner.model.parameters(), weights[1], strict=True):
        assert torch.equal(kept, best)


def test_the_rate_falls_with_width_and_a_given_one_is_taken() -> None:
    full = train_settings(method="full")
    assert peak_rate(896, full) == pytest.approx(1e-5)
    assert peak_rate(56, full) == pytest.approx(1.6e-4)
    assert peak_rate(896, train_settings(method="lora")) == pytest.approx(2e-4)
    assert peak_rate(1, train_settings(rate=0.5)) == 0.5


def test_the_schedule_rises_stays_and_falls_to_nothing() -> None:
    shares = [schedule(step, 100) for step in range(101)]
    assert shares[0] == 0.2
    assert set(shares[4:51]) == {1.0}
    assert shares[50:] == sorted(shares[50:], reverse=True)
    assert shares[100] == 0.0


def test_items_know_what_they_rehearse(models: Path) -> None:
    small = load(models, "small")
    own = encode(small, lesson("copy ash bay", "ash bay", source="self", verified=True, weight=2.0))
    assert (own.rehearsal, own.verified, own.weight) == (True, True, 2.0)
    assert own.answer[-1] in small.stop_ids
    assert small.tokenizer.decode(own.answer) == "ash bay"
