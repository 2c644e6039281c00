"""Looking into a kept conversation shows what lies in the files, and what the model makes of it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from nodes.model_worker.commands import kv
from nodes.model_worker.engine import Engine
from nodes.model_worker.explore import Explorer, explorer
from nodes.model_worker.kv.chunkfile import Keys
from nodes.model_worker.kv.pruning.choosing import LAST
from nodes.model_worker.kv.pruning.recent import SINKS
from nodes.model_worker.kv.vault import VAULT, Vault
from nodes.model_worker.levels import Level
from protocol.messages.model import ChatMessage, Generate
from runtime.identity import HostIdentity

QUESTION = [ChatMessage(role="user", content="the cup is in the hall . tom works for eva .")]


@pytest.fixture
def vault(tmp_path: Path, level: Level) -> Iterator[Vault]:
    """With one conversation in it, `s`."""
    made = Vault(tmp_path / VAULT, Keys(HostIdentity.load(tmp_path)), budget=1 << 30)
    engine = Engine(level, vault=made)
    engine.generate(Generate(messages=QUESTION, session="s", max_new_tokens=8))
    engine.close()
    yield made
    made.close()


@pytest.fixture
def explored(vault: Vault, level: Level) -> Explorer:
    ((_, public, kept),) = vault.manifests()
    return explorer(vault, level, public.fingerprint, kept)


def test_every_token_is_shown_with_its_text_class_norms_and_what_it_attends_to(explored: Explorer) -> None:
    assert "".join(explored.text(at) for at in range(len(explored.tokens))).startswith("<|im_start|>user\nthe cup")
    view = explored.view(20)
    assert (view.index, view.id) == (20, explored.tokens[20])
    assert len(view.key_norms) == len(view.value_norms) == 2
    keys, values = explored.norms()
    assert view.key_norms == pytest.approx(keys[:, 20].tolist(), abs=1e-3)
    assert view.value_norms == pytest.approx(values[:, 20].tolist(), abs=1e-3)
    assert all(at <= 20 for at, _, _ in view.attended)
    assert explored.view(0).exactness == "cold"
    assert explored.view(len(explored.tokens) - 1).exactness == "continuous"


def test_attention_adds_up_and_is_that_of_the_whole_computation(explored: Explorer) -> None:
    shares = explored.attention(30)
    assert len(shares) == 31
    assert sum(shares) == pytest.approx(1, abs=1e-4)
    whole = explored._model.model(input_ids=torch.tensor([explored.tokens[:31]]), output_attentions=True).attentions
    expected = torch.stack([layer[0, :, -1] for layer in whole]).mean(dim=(0, 1))
    torch.testing.assert_close(torch.tensor(shares), expected, atol=1e-5, rtol=0)
    assert sum(explored.mass()) == pytest.approx(1, abs=1e-4)


def test_pruning_keeps_the_first_the_last_and_what_matters_most(explored: Explorer) -> None:
    half, most = explored.pruned(0.6), explored.pruned(0.9)
    total = len(explored.tokens)
    assert len(half.kept) == round(0.6 * total)
    assert set(range(SINKS)) <= set(half.kept)
    assert set(range(total - LAST, total)) <= set(half.kept)
    assert set(half.kept) <= set(most.kept)
    assert half.mass <= most.mass <= explored.pruned(1.0).mass == pytest.approx(1, abs=1e-3)


def test_it_goes_on_from_what_pruning_keeps(explored: Explorer) -> None:
    last = len(explored.tokens) - 1
    assert explored.continued(last, 5, explored.pruned(1.0).kept) == explored.continued(last, 5)
    assert explored.continued(last, 5, [0, 1]) != explored.continued(last, 5)
    assert explored.continued(0, 5, [0]) == explored.continued(0, 5)


def test_it_goes_on_from_any_point_as_the_model_does(explored: Explorer, level: Level) -> None:
    ids = explored.tokens[:25]
    answer = Engine(level).generate(Generate(ids=ids, max_new_tokens=5))
    assert explored.continued(24, 5) == explored._model.tokenizer.spell(answer.ids)


@pytest.fixture
def levels_file(tmp_path: Path, level: Level) -> Path:
    file = tmp_path / "levels.yaml"
    file.write_text(
        f"levels:\n  - {{name: sensory, model: {level.model}, dtype: float32, device: cpu, context: 400,"
        " max_new_tokens: 12, prefill_chunk: 16}\n"
    )
    return file


def sage(tmp_path: Path, *words: str, typed: str = "") -> Result:
    return CliRunner(env={"SAGE_STATE_DIR": str(tmp_path)}).invoke(kv, words, input=typed)


def test_the_command_steps_and_goes_on(vault: Vault, levels_file: Path, tmp_path: Path) -> None:
    words = ("explore", "s", "--levels", str(levels_file))
    shown = json.loads(sage(tmp_path, *words, "--at", "5", "--json").stdout)
    assert (shown["index"], shown["kept"] in (True, False)) == (5, True)
    stepped = sage(tmp_path, *words, typed="3\ng\np\nn\nwhat\nq\n")
    assert stepped.exit_code == 0
    for part in ("token 3 of", "  next    ", "  pruned  ", "token 2 of", "n, p, g, q, or a token"):
        assert part in stepped.output
    beyond = sage(tmp_path, *words, "--at", "5000")
    assert (beyond.exit_code, "there is no token 5000" in beyond.output) == (2, True)


def test_the_plot_is_a_png(vault: Vault, levels_file: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "s.png"
    drawn = sage(tmp_path, "explore", "s", "--levels", str(levels_file), "--plot", str(picture))
    assert drawn.exit_code == 0, drawn.output
    assert picture.read_bytes().startswith(b"\x89PNG")
