"""The loop on a tiny model: every step can be the last before a pause, and low-rank changes become plain weights."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from nodes.dream_consolidator import settings as configuration
from nodes.dream_consolidator.distiller.chunks import answer_states, by_chunk, check_output_layer
from nodes.dream_consolidator.distiller.losses import Target
from nodes.dream_consolidator.distiller.study import go_back
from nodes.dream_consolidator.distiller.targets import Item, distributions, encode
from nodes.dream_consolidator.distiller.training import Lessons, Trainer
from nodes.dream_consolidator.selection.select import Lesson
from nodes.model_worker import loading
from nodes.model_worker.errors import ModelUnfit
from protocol.messages.model import ChatMessage
from tests.process.dream_consolidator import tiny
from tests.process.dream_consolidator.conftest import changed

STEPS = 6


def train_settings(**changes: object) -> configuration.Train:
    return changed(
        configuration.load(), "train", **{"epochs": 2, "steps": 0, "batch": 4, "evaluate": 2, "rank": 2, **changes}
    ).train


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


def trainer(models: Path, data: Lessons, **changes: object) -> Trainer:
    return Trainer(load(models, "small").model, data, data, train_settings(**changes), seed=5)


def own(data: Lessons, learner: Trainer) -> dict[int, tuple[Item, Target]]:
    """What the student might have answered for this round: another lesson's answer."""
    assert data.targets is not None
    every = list(zip(data.items, data.targets, strict=True))
    return {index: every[(index + 1 + learner.round) % 8] for index in learner.asked()}


def advance(data: Lessons, learner: Trainer) -> float:
    if learner.awaits_answers:
        learner.learn_from(own(data, learner))
    return learner.step()


def same(one: Trainer, other: Trainer) -> None:
    for (name, first), (_, second) in zip(one.model.named_parameters(), other.model.named_parameters(), strict=True):
        assert torch.equal(first, second), name


@pytest.mark.parametrize(
    "how",
    [
        {"method": "full"},
        {"method": "lora"},
        {"on_policy": 0.5, "loss": "jsd", "at_once": 40, "chunk": 3, "recompute": True},
        {"on_policy": 1.0, "method": "lora", "precision": "bfloat16", "loss": "reverse_kl", "schedule": "cosine"},
    ],
    ids=["full", "lora", "second phase, in parts", "second phase, lora, bfloat16"],
)
def test_training_paused_after_every_step_gives_the_same_bits(
    models: Path, tmp_path: Path, how: dict[str, object]
) -> None:
    data = lessons(models)
    whole = trainer(models, data, **how)
    losses = []
    while not whole.over:
        losses.append(advance(data, whole))
    assert len(losses) == STEPS * (1 + how.get("on_policy", 0.0))
    whole.keep_best()
    paused_losses = []
    over = False
    while not over:
        paused = trainer(models, data, **how)
        paused.resume(tmp_path / "checkpoint")
        paused_losses.append(advance(data, paused))
        paused.save(tmp_path / "checkpoint")
        over = paused.over
    paused.keep_best()
    assert paused_losses == losses
    same(whole, paused)


def gradients(models: Path, data: Lessons, indices: list[int], **how: object) -> dict[str, torch.Tensor]:
    learner = trainer(models, data, **how)
    learner.accumulate(indices)
    return {name: each.grad for name, each in learner.model.named_parameters() if each.grad is not None}


@pytest.mark.parametrize(
    "how",
    [
        {"at_once": 1},
        {"at_once": 40},
        {"chunk": 1},
        {"recompute": True},
        {"at_once": 40, "chunk": 2, "recompute": True},
    ],
    ids=str,
)
def test_a_batch_in_parts_in_chunks_or_computed_again_has_the_gradient_of_the_whole(
    models: Path, how: dict[str, object]
) -> None:
    data, indices = lessons(models), list(range(12))
    whole = gradients(models, data, indices)
    parts = gradients(models, data, indices, **how)
    assert whole.keys() == parts.keys()
    for name, gradient in whole.items():
        torch.testing.assert_close(parts[name], gradient, atol=1e-6, rtol=1e-4, msg=name)


def test_in_bfloat16_the_weights_that_learn_stay_in_float32(models: Path) -> None:
    data = lessons(models)
    learner = trainer(models, data, precision="bfloat16")
    near, exact = advance(data, learner), advance(data, trainer(models, data))
    assert {parameter.dtype for parameter in learner.model.parameters()} == {torch.float32}
    assert near != exact
    assert near == pytest.approx(exact, rel=0.02)


def test_no_more_logits_exist_than_a_chunk(models: Path) -> None:
    data, rows = lessons(models), []
    small = load(models, "small").model
    states = answer_states(small, data.items)
    by_chunk(small, states, 5, lambda logits, part: (rows.append(len(logits)) or logits[:, 0],))
    assert sum(rows) == sum(len(item.answer) for item in data.items)
    assert max(rows) == 5


def test_a_model_that_caps_its_logits_is_refused(models: Path) -> None:
    small = load(models, "small").model
    check_output_layer(small, "here")
    small.register_forward_hook(lambda module, given, output: SimpleNamespace(logits=output.logits.tanh()))
    with pytest.raises(ModelUnfit, match="after the output layer"):
        check_output_layer(small, "here")


def test_the_second_phase_begins_from_the_best_weights_and_rehearses_what_it_did(models: Path) -> None:
    small = load(models, "small")
    data = lessons(models)
    rehearsed = encode(small, lesson("copy ash bay", "ash bay", source="self", verified=True))
    assert data.targets is not None
    mixed = Lessons([*data.items, rehearsed], [*data.targets, data.targets[0]])
    learner = trainer(models, mixed, on_policy=0.5, patience=1, evaluate=3)
    scores = iter([(0.5, -1.0), (0.5, -2.0)])
    learner._development_score = lambda: next(scores)
    best = []
    while learner.state.second is None:
        learner.step()
        if learner.state.step == 3:
            best = [parameter.detach().clone() for parameter in learner.model.parameters()]
    assert (learner.state.second, learner.steps, learner.awaits_answers) == (6, 9, True)
    for now, kept in zip(learner.model.parameters(), best, strict=True):
        assert torch.equal(now, kept)
    assert 12 not in learner.asked()
    assert learner.asked()


def test_words_without_a_distribution_have_no_second_phase(models: Path) -> None:
    words = Lessons(lessons(models).items, None)
    learner = trainer(models, words, on_policy=1.0)
    assert learner.steps == STEPS


@pytest.mark.parametrize("loss", ["forward_kl", "reverse_kl", "jsd", "mse", "cross_entropy"])
def test_every_loss_falls_as_it_is_trained(models: Path, loss: str) -> None:
    data = lessons(models)
    learner = trainer(models, data, loss=loss, rate=5e-3, epochs=4)
    losses = [learner.step() for _ in range(2 * STEPS)]
    assert sum(losses[-3:]) < sum(losses[:3])


def test_low_rank_training_changes_the_inner_matrices_and_leaves_an_ordinary_model(models: Path) -> None:
    data = lessons(models)
    before = dict(load(models, "small").model.named_parameters())
    low = trainer(models, data, method="lora")
    full = trainer(models, data, method="full")
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
        together = answer_states(small.model, data.items)
        alone = torch.cat([answer_states(small.model, [item]) for item in data.items])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


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


def test_in_the_first_half_nothing_says_that_it_is_enough(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = lessons(models)
    settings = train_settings(method="full", patience=1, epochs=4)
    learner = Trainer(load(models, "small").model, data, data, settings, seed=5)
    scores = iter([(0.5, -1.0), (0.4, -1.0), (0.4, -1.0), (0.9, -1.0), (0.8, -1.0)])
    monkeypatch.setattr(learner, "_development_score", lambda: next(scores))
    while not learner.over:
        learner.step()
    assert (learner.state.step, learner.state.best_step) == (10, 8)


def test_in_the_end_a_share_of_the_way_is_gone(models: Path) -> None:
    before, learned = load(models, "small").model, load(models, "small").model
    with torch.no_grad():
        for parameter in learned.parameters():
            parameter.add_(1)
    go_back(learned, before, 0.75)
    for parameter, earlier in zip(learned.parameters(), before.parameters(), strict=True):
        torch.testing.assert_close(parameter, earlier + 0.75)


def test_items_know_what_they_rehearse(models: Path) -> None:
    small = load(models, "small")
    own = encode(small, lesson("copy ash bay", "ash bay", source="self", verified=True, weight=2.0))
    assert (own.rehearsal, own.verified, own.weight) == (True, True, 2.0)
    assert own.answer[-1] in small.stop_ids
    assert small.tokenizer.decode(own.answer) == "ash bay"


def test_few_lessons_are_gone_through_until_there_are_enough_steps(models: Path) -> None:
    data = lessons(models)
    often = Trainer(load(models, "small").model, data, data, train_settings(steps=50), seed=5)
    once = Trainer(load(models, "small").model, data, data, train_settings(), seed=5)
    a_pass = once.steps // 2
    assert 50 <= often.steps < 50 + a_pass
    assert often.steps % a_pass == 0
