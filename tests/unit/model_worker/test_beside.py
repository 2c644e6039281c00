"""New weights loaded beside those that answer, and which conversations a challenger gets."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from nodes.model_worker import beside, loading
from nodes.model_worker.errors import ModelIncomplete, ModelMemory, ModelUnfit
from nodes.model_worker.folder import open_folder, weights_digest
from nodes.model_worker.kv.chunkfile import Keys
from nodes.model_worker.kv.vault import Vault
from nodes.model_worker.learned import Learned
from nodes.model_worker.levels import Level
from nodes.model_worker.trial import Trial
from nodes.model_worker.worker import Worker
from protocol.messages.dream import AdapterAdopted
from protocol.messages.model import ChatMessage, Generate, Generated
from runtime.clock import Clock
from runtime.identity import HostIdentity
from tests.unit.model_worker import tiny


def learn(level: Level, place: Path, seed: int, **changes: Any) -> Learned:
    path = tiny.save(place / f"learned-{seed}", seed=seed, **changes)
    own = weights_digest(open_folder(Path(level.model)))
    return Learned(path, weights_digest(open_folder(path)), own)


def request(session: str = "", text: str = "the cup ?") -> Generate:
    return Generate(messages=[ChatMessage(role="user", content=text)], session=session)


async def ask(worker: Worker, asked: Generate) -> Generated:
    return await worker.generate(asked, on_token=lambda _: None, cancelled=lambda: False, deadline=None)


def test_weights_loaded_beside_are_those_that_transformers_loads(level: Level, tmp_path: Path) -> None:
    learned = learn(level, tmp_path, 1)
    like = loading.load(level)
    before = {name: value.clone() for name, value in like.model.state_dict().items()}
    found, wanted = beside.prepare(level, learned, like), loading.load(level, learned.path)
    assert (found.version, found.fingerprint, found.weight_bytes) == (
        wanted.version,
        wanted.fingerprint,
        like.weight_bytes,
    )
    for name, value in wanted.model.state_dict().items():
        assert torch.equal(found.model.state_dict()[name], value), name
    assert found.model.get_input_embeddings().weight is found.model.get_output_embeddings().weight
    assert all(torch.equal(before[name], value) for name, value in like.model.state_dict().items())


def test_weights_of_another_structure_too_large_or_not_whole_are_refused(
    level: Level, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    like = loading.load(level)
    with pytest.raises(ModelUnfit, match="differs in config"):
        beside.prepare(level, learn(level, tmp_path, 3, num_hidden_layers=1), like)
    broken = learn(level, tmp_path, 4)
    from safetensors.torch import load_file, save_file

    tensors = load_file(broken.path / "model.safetensors")
    tensors.pop("model.norm.weight")
    save_file(tensors, broken.path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelIncomplete, match=r"lacks 1 weights, such as model\.norm\.weight"):
        beside.load_beside(level, like, open_folder(broken.path))
    monkeypatch.setattr(loading, "free_bytes", lambda _: 1000)
    with pytest.raises(ModelMemory, match="does not fit beside"):
        beside.prepare(level, learn(level, tmp_path, 5), like)


def test_a_conversation_stays_with_one_version_and_about_its_share_of_them_is_tried(tmp_path: Path) -> None:
    trials = [Trial(Learned(tmp_path, digest), 0.3) for digest in ("one", "two")]
    sessions = [f"s{number}" for number in range(2000)]
    taken = [[trial.takes(each) for each in sessions] for trial in trials]
    assert taken[0] == [trials[0].takes(each) for each in sessions]
    assert all(500 < sum(each) < 700 for each in taken)
    assert taken[0] != taken[1], "another challenger meets other conversations"
    assert not trials[0].takes("")
    assert not any(Trial(Learned(tmp_path, "one"), 0.0).takes(each) for each in sessions)
    assert all(Trial(Learned(tmp_path, "one"), 1.0).takes(each) for each in sessions)


@pytest.fixture
async def told() -> list[AdapterAdopted]:
    return []


@pytest.fixture
async def worker(level: Level, tmp_path: Path, told: list[AdapterAdopted]) -> Any:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    vault = Vault(state / "kv", Keys(HostIdentity.load(state)), budget=1 << 24, clock=Clock())
    made = Worker(level, Clock(), vault, adopted=told.append)
    yield made
    await made.close()
    vault.close()


async def test_requests_go_on_while_new_weights_are_loaded_beside(
    worker: Worker, level: Level, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[AdapterAdopted]
) -> None:
    own = await ask(worker, request())
    may_load, real = threading.Event(), beside.prepare

    def slow(*args: Any) -> Any:
        assert may_load.wait(60)
        return real(*args)

    monkeypatch.setattr(beside, "prepare", slow)
    learned = learn(level, tmp_path, 1)
    adopting = asyncio.ensure_future(worker.adopt(learned))
    for _ in range(3):
        assert (await ask(worker, request())).adapter == ""
    assert not adopting.done()
    may_load.set()
    assert await adopting
    after = await ask(worker, request())
    assert (after.adapter, after.ids != own.ids) == (learned.digest, True)
    assert told == [AdapterAdopted(level="sensory", digest=learned.digest)]


async def test_where_both_do_not_fit_requests_wait_and_it_is_said(
    worker: Worker, level: Level, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[AdapterAdopted]
) -> None:
    await ask(worker, request())

    def refuse(*_: Any) -> None:
        raise ModelMemory("does not fit beside")

    monkeypatch.setattr(beside, "load_beside", refuse)
    learned = learn(level, tmp_path, 1)
    assert await worker.adopt(learned)
    assert (await ask(worker, request())).adapter == learned.digest
    assert "does not fit beside" in told[0].waited


async def test_a_challenger_answers_its_conversations_and_keeps_them_when_it_is_promoted(
    worker: Worker, level: Level, tmp_path: Path
) -> None:
    await ask(worker, request())
    trial = Trial(learn(level, tmp_path, 1), 0.5)
    assert await worker.adopt(None, trial)
    sessions = {each: trial.takes(each) for each in (f"s{number}" for number in range(12))}
    assert set(sessions.values()) == {True, False}
    first = {each: await ask(worker, request(each, f"{each}{each} the cup ?")) for each in sessions}
    assert {each: bool(answer.adapter) for each, answer in first.items()} == sessions
    assert worker.info.sessions == len(sessions)
    assert await worker.adopt(trial.learned)
    for session, tried in sessions.items():
        again = await ask(worker, request(session, f"{session}{session} the cup ? so ?"))
        assert again.adapter == trial.learned.digest
        held = first[session].tokens_computed + first[session].tokens_reused
        assert (again.tokens_reused >= held // 2) is tried, "what another version computed is not reused"


async def test_a_challenger_that_is_withdrawn_leaves_its_conversations_to_the_others(
    worker: Worker, level: Level, tmp_path: Path
) -> None:
    await ask(worker, request())
    trial = Trial(learn(level, tmp_path, 1), 1.0)
    await worker.adopt(None, trial)
    assert (await ask(worker, request("s"))).adapter == trial.learned.digest
    assert await worker.adopt(None)
    back = await ask(worker, request("s"))
    assert (back.adapter, back.tokens_reused) == ("", 0)


async def test_a_challenger_for_which_there_is_no_room_is_refused_and_the_others_answer(
    worker: Worker, level: Level, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[AdapterAdopted]
) -> None:
    await ask(worker, request())

    def refuse(*_: Any) -> None:
        raise ModelMemory("does not fit beside")

    monkeypatch.setattr(beside, "load_beside", refuse)
    trial = Trial(learn(level, tmp_path, 1), 1.0)
    await worker.adopt(None, trial)
    assert (await ask(worker, request("s"))).adapter == ""
    assert [(each.challenger, each.no_room, bool(each.refused)) for each in told] == [(True, True, True)]


async def test_a_challenger_that_cannot_be_loaded_when_it_is_needed_is_refused_then(
    worker: Worker, level: Level, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[AdapterAdopted]
) -> None:
    trial = Trial(learn(level, tmp_path, 1), 1.0)
    await worker.adopt(None, trial)
    real = loading.load

    def refuse(level: Level, path: Path | None = None) -> Any:
        if path is not None:
            raise ModelMemory("does not fit")
        return real(level)

    monkeypatch.setattr(loading, "load", refuse)
    assert (await ask(worker, request("s"))).adapter == ""
    assert [(each.refused != "", each.no_room) for each in told] == [(False, False), (True, True)]


async def test_unloading_frees_both_and_each_comes_back_when_it_is_asked(
    worker: Worker, level: Level, tmp_path: Path
) -> None:
    await ask(worker, request())
    trial = Trial(learn(level, tmp_path, 1), 1.0)
    await worker.adopt(None, trial)
    await worker.unload()
    assert not worker.info.loaded
    assert (await ask(worker, request("s"))).adapter == trial.learned.digest
    assert (await ask(worker, request())).adapter == ""
