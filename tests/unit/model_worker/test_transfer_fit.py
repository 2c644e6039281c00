"""Maps fitted to contexts, kept, and found again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from nodes.model_worker.errors import ModelUnfit, StateUnreadable
from nodes.model_worker.loading import LoadedModel
from nodes.model_worker.transfer import fit as fitting
from nodes.model_worker.transfer import maps
from nodes.model_worker.transfer.commands import transfer
from nodes.model_worker.transfer.fit import fit
from tests.unit.model_worker import tiny
from tests.unit.model_worker.test_transfer import opened

CONTEXTS = [[3 + (start * 31 + 7 * number * (start + 1)) % 290 for number in range(90)] for start in range(24)]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return opened(tiny.save(tmp_path_factory.mktemp("small")))


def test_a_map_to_the_same_model_accounts_for_all_and_surprises_nobody(small: LoadedModel, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    found = fit(small, small, CONTEXTS, names=("a", "b"), folder=tmp_path / "t", report=lambda *at: told.append(at))
    assert told == [(number, 24) for number in range(1, 25)]
    assert found.card.tokens == 22 * 90
    assert found.card.explained == pytest.approx(1, abs=1e-2)
    assert found.card.surprise < 0.05
    assert (found.card.source_name, found.card.target_name, found.card.rank) == ("a", "b", None)
    path = maps.path_of(tmp_path, found.card.source, found.card.target)
    maps.save(path, found.projector, found.card)
    again, card = maps.load(path)
    assert card == found.card
    rows = torch.randn(5, len(again.mean))
    torch.testing.assert_close(again(rows), found.projector(rows))
    path.write_bytes(b"x" * 40)
    with pytest.raises(StateUnreadable, match="is no map"):
        maps.load(path)
    assert "is no map" in str(maps.cards(tmp_path)[path])


def test_a_fit_that_was_stopped_goes_on_and_ends_the_same(
    small: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit(small, small, CONTEXTS, names=("a", "b"), folder=tmp_path / "whole", sources="mapped", rank=4)

    def stop(done: int, _: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(small, small, CONTEXTS, names=("a", "b"), folder=tmp_path / "t", sources="mapped", rank=4, report=stop)
    read: list[int] = []
    rows = fitting._rows
    monkeypatch.setattr(fitting, "_rows", lambda *what: (read.append(1), rows(*what))[1])
    again = fit(small, small, CONTEXTS, names=("a", "b"), folder=tmp_path / "t", sources="mapped", rank=4)
    assert len(read) == 2 * (22 - 7) + 2 * 2
    assert again.card == whole.card
    assert list((tmp_path / "t").iterdir()) == []


def test_too_few_or_too_short_texts_are_refused_by_number(small: LoadedModel, tmp_path: Path) -> None:
    with pytest.raises(ModelUnfit, match="1 of 2 contexts have 80 tokens or more; 4 are needed"):
        fit(small, small, [CONTEXTS[0], [1, 2]], names=("a", "b"), folder=tmp_path / "t")


def test_by_command_it_is_fitted_kept_and_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAGE_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "state").mkdir(mode=0o700)
    folder = tiny.save(tmp_path / "model")
    one = f"{{model: {folder}, device: cpu, dtype: float32, context: 400, max_new_tokens: 8"
    levels = tmp_path / "levels.yaml"
    levels.write_text(f"levels:\n  - {one}, name: a}}\n  - {one}, name: b}}\n")
    texts = tmp_path / "texts.jsonl"
    said = [{"text": "the cup is in the hall . " * (20 + n)} for n in range(6)]
    said.append({"messages": [{"role": "user", "content": "what is two plus two ? " * 20}]})
    texts.write_text("\n".join(map(json.dumps, said)))
    order = ["fit", "a", "b", "--text", str(texts), "--levels", str(levels), "--length", "128"]
    done = CliRunner().invoke(transfer, [*order, "--json"])
    assert done.exit_code == 0, done.output
    card = json.loads(done.stdout)
    assert (card["source_name"], card["target_name"]) == ("a", "b")
    listed = CliRunner().invoke(transfer, ["list"])
    assert listed.output.startswith("a → b: stacked, full rank, ")
    texts.write_text('{"text": "x"}\nnonsense\n')
    spoiled = CliRunner().invoke(transfer, order)
    assert spoiled.exit_code == 1
    assert f"{texts}: line 2 is no text" in spoiled.output
    assert CliRunner().invoke(transfer, [*order[:2], "c", *order[3:]]).exit_code == 2
