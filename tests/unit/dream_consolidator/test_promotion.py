from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nodes.dream_consolidator.adapters.lineage import Made
from nodes.dream_consolidator.adapters.registry import Adapters
from nodes.model_worker.errors import ModelIncomplete
from nodes.model_worker.folder import open_folder, weights_digest
from protocol.errors import BadRequest, ConfigError
from protocol.messages.dream import Adapter, AdapterCurrent, Challenger

NOW = 5


def candidate(path: Path, weights: bytes) -> Path:
    path.mkdir(parents=True)
    (path / "config.json").write_text('{"architectures": ["Qwen2ForCausalLM"]}')
    (path / "tokenizer.json").write_text("{}")
    (path / "model.safetensors").write_bytes(weights)
    return path


@pytest.fixture
def state(tmp_path: Path) -> Path:
    directory = tmp_path / "state"
    directory.mkdir(mode=0o700)
    return directory


@pytest.fixture
def adapters(state: Path) -> Adapters:
    return Adapters.load(state)


def made(dream: str, **known: Any) -> Made:
    return Made(dream=dream, **{"base_version": "base", "made_ns": 3, "exchanges": ("e1", "e2"), **known})


def admit(adapters: Adapters, place: Path, dream: str, *, share: float = 0.0, **known: Any) -> Adapter:
    """Weights of their own for each dream of a level, by default put in force at once."""
    level = known.pop("level", "sensory")
    folder = candidate(place / f"{dream}-{level}", f"{dream} {level}".encode())
    return adapters.admit(folder, level, made(dream, **known), share=share, now_ns=NOW).adapter


def folders(adapters: Adapters) -> set[str]:
    return {path.name for path in adapters.root.iterdir() if path.is_dir() and path.name != "lineage"}


def states(adapters: Adapters) -> dict[str, str]:
    return {each.adapter.dream: each.state for each in adapters.versions}


def test_before_any_promotion_every_level_has_its_base_model(adapters: Adapters) -> None:
    assert adapters.current("sensory") == Adapter(level="sensory")
    assert adapters.announced() == (AdapterCurrent(adapters=[]), [])


def test_promoted_weights_lie_under_their_digest_and_are_in_force(
    adapters: Adapters, state: Path, tmp_path: Path
) -> None:
    current = admit(adapters, tmp_path, "d1")
    assert not (tmp_path / "d1-sensory").exists()
    assert (Path(current.path) / "model.safetensors").read_bytes() == b"d1 sensory"
    assert Path(current.path).name == current.digest
    assert Adapters.load(state).current("sensory") == current
    assert (current.base_version, current.dream) == ("base", "d1")
    assert adapters.announced() == (AdapterCurrent(adapters=[current]), [])


def test_the_previous_weights_stay_and_older_ones_go(adapters: Adapters, tmp_path: Path) -> None:
    digests = [admit(adapters, tmp_path, f"d{number}").digest for number in range(3)]
    other = admit(adapters, tmp_path, "d9", level="tactical")
    assert folders(adapters) == {digests[1], digests[2], other.digest}
    assert states(adapters) == {"d0": "retired", "d1": "retired", "d2": "champion", "d9": "champion"}


def test_the_same_weights_again_are_not_stored_twice_and_need_no_trial(adapters: Adapters, tmp_path: Path) -> None:
    first = adapters.admit(candidate(tmp_path / "a", b"same"), "sensory", made("d1"), share=0.0, now_ns=NOW)
    again = adapters.admit(candidate(tmp_path / "b", b"same"), "sensory", made("d2"), share=0.5, now_ns=NOW)
    assert (again.adapter.digest, again.adapter.dream, again.state) == (first.adapter.digest, "d2", "champion")
    assert folders(adapters) == {first.adapter.digest}
    assert not (tmp_path / "b").exists()


def test_a_folder_that_is_no_model_changes_nothing(adapters: Adapters, tmp_path: Path) -> None:
    broken = candidate(tmp_path / "c", b"x")
    (broken / "model.safetensors").unlink()
    with pytest.raises(ModelIncomplete):
        adapters.admit(broken, "sensory", made("d"), share=0.0, now_ns=NOW)
    assert adapters.versions == ()


def test_an_index_that_cannot_be_read_is_named(state: Path, adapters: Adapters) -> None:
    (adapters.root / "current.json").write_text(json.dumps({"sensory": 3}))
    with pytest.raises(ConfigError, match="does not say which learned weights are in force"):
        Adapters.load(state)


# On trial


def test_a_challenger_answers_beside_the_champion_until_it_takes_its_place(adapters: Adapters, tmp_path: Path) -> None:
    first = admit(adapters, tmp_path, "d1")
    second = admit(adapters, tmp_path, "d2", share=0.25)
    told, _ = adapters.announced()
    assert told == AdapterCurrent(adapters=[first], challengers=[Challenger(adapter=second, share=0.25)])
    assert adapters.promote("sensory", "shown", NOW).adapter == second
    assert adapters.announced()[0] == AdapterCurrent(adapters=[second])
    assert states(adapters) == {"d1": "retired", "d2": "champion"}


def test_a_challenger_that_fails_leaves_the_champion_as_it_was_and_its_weights_go(
    adapters: Adapters, tmp_path: Path
) -> None:
    first = admit(adapters, tmp_path, "d1")
    admit(adapters, tmp_path, "d2", share=0.25)
    assert adapters.withdraw("sensory", "worse", NOW).state == "withdrawn"
    assert adapters.announced()[0] == AdapterCurrent(adapters=[first])
    assert folders(adapters) == {first.digest}
    with pytest.raises(BadRequest, match="no weights of sensory are on trial"):
        adapters.promote("sensory", "", NOW)


def test_a_second_challenger_takes_the_place_of_the_first(adapters: Adapters, tmp_path: Path) -> None:
    admit(adapters, tmp_path, "d1", share=0.25)
    second = admit(adapters, tmp_path, "d2", share=0.25)
    assert states(adapters) == {"d1": "withdrawn", "d2": "challenger"}
    assert folders(adapters) == {second.digest}


def test_a_level_goes_back_to_what_was_before_and_then_to_its_own_model(adapters: Adapters, tmp_path: Path) -> None:
    first, _ = admit(adapters, tmp_path, "d1"), admit(adapters, tmp_path, "d2")
    assert adapters.roll_back("sensory", "it dropped", NOW) == first
    assert states(adapters) == {"d1": "champion", "d2": "withdrawn"}
    assert adapters.roll_back("sensory", "it dropped", NOW) == Adapter(level="sensory")
    with pytest.raises(BadRequest, match="own model already"):
        adapters.roll_back("sensory", "again", NOW)


def test_what_one_goes_back_to_can_be_named(adapters: Adapters, tmp_path: Path) -> None:
    first, _ = admit(adapters, tmp_path, "d1"), admit(adapters, tmp_path, "d2")
    with pytest.raises(BadRequest, match=rf"cannot go back to 'zz'; there are: {first.digest}, base"):
        adapters.roll_back("sensory", "", NOW, to="zz")
    assert adapters.roll_back("sensory", "", NOW, to=first.digest[:6]) == first
    assert adapters.roll_back("sensory", "", NOW, to="base").digest == ""


# Signed


def edited(adapters: Adapters, dream: str, change: Callable[[dict[str, Any]], None]) -> None:
    path = adapters.root / "lineage" / f"{dream}.json"
    record = json.loads(path.read_bytes())
    change(record)
    path.write_text(json.dumps(record))


@pytest.mark.parametrize(
    "change",
    [
        lambda signed: signed["record"].update(digest="f" * 16),
        lambda signed: signed["record"].update(examples=7),
        lambda signed: signed.update(signature="AAAA"),
        lambda signed: signed.pop("signature"),
    ],
)
def test_weights_whose_record_was_changed_are_not_put_in_force_and_it_is_named(
    adapters: Adapters, tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    admit(adapters, tmp_path, "d1")
    other = admit(adapters, tmp_path, "d2", level="tactical")
    edited(adapters, "d1", change)
    told, refused = adapters.announced()
    assert told == AdapterCurrent(adapters=[other])
    assert "lineage/d1.json" in str(refused[0])
    assert "not as this host signed it" in str(refused[0])
    shown = {each.dream: each for each in adapters.lineages()}
    assert (shown["d1"].signed_by, bool(shown["d2"].signed_by)) == ("", True)


def test_the_record_of_other_weights_vouches_for_none(adapters: Adapters, tmp_path: Path) -> None:
    admit(adapters, tmp_path, "d1")
    admit(adapters, tmp_path, "d2", level="tactical")
    book = adapters.root / "lineage"
    shutil.copy(book / "d1.json", book / "d2.json")
    _, refused = adapters.announced()
    assert "the record is of dream d1, not d2" in str(refused[0])
    (book / "d1.json").unlink()
    assert "there is none" in str(adapters.announced()[1][0])


def test_a_record_of_another_host_is_refused(adapters: Adapters, tmp_path: Path) -> None:
    admit(adapters, tmp_path, "d1")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    shutil.copytree(adapters.root, elsewhere / "adapters")
    assert Adapters.load(elsewhere).announced()[0] == AdapterCurrent(adapters=[])


def test_a_challenger_whose_record_was_changed_is_not_promoted(adapters: Adapters, tmp_path: Path) -> None:
    admit(adapters, tmp_path, "d1", share=0.5)
    edited(adapters, "d1", lambda signed: signed["record"].update(level="tactical"))
    with pytest.raises(Exception, match="not as this host signed it"):
        adapters.promote("sensory", "shown", NOW)
    assert states(adapters) == {"d1": "challenger"}


def test_the_lineage_tells_where_weights_come_from_but_no_exchange(adapters: Adapters, tmp_path: Path) -> None:
    admit(
        adapters, tmp_path, "d1", parent="p", teacher="tactical t", settings="s", exchanges=("said-once", "said-twice")
    )
    (shown,) = adapters.lineages()
    assert (shown.parent, shown.teacher, shown.settings, shown.examples, shown.made_ns) == (
        "p",
        "tactical t",
        "s",
        2,
        3,
    )
    assert shown.signed_by.startswith("lct:")
    assert len(shown.data_digest) == 16
    assert "said-once" not in (adapters.root / "lineage" / "d1.json").read_text()


# Forgotten


def test_versions_that_learned_from_what_is_forgotten_are_marked_and_stay_until_learned_anew(
    adapters: Adapters, state: Path, tmp_path: Path
) -> None:
    first = admit(adapters, tmp_path, "d1", exchanges=("e1",))
    second = admit(adapters, tmp_path, "d2", exchanges=("e2",))
    assert adapters.forgotten(["e3"]) == []
    assert not adapters.due("sensory")
    assert adapters.forgotten(["e2"]) == [second.digest]
    assert adapters.forgotten(["e2"]) == []
    again = Adapters.load(state)
    assert again.due("sensory")
    assert again.current("sensory") == second
    admit(again, tmp_path, "d3", exchanges=("e1",), parent="")
    assert not again.due("sensory")
    assert first.digest not in folders(again)


def test_what_rehearsed_the_answers_of_such_a_version_is_marked_too(adapters: Adapters, tmp_path: Path) -> None:
    first = admit(adapters, tmp_path, "d1", exchanges=("e1",))
    second = admit(adapters, tmp_path, "d2", exchanges=("e2",), parent=first.digest)
    third = admit(adapters, tmp_path, "d3", exchanges=("e3",), parent=second.digest)
    other = admit(adapters, tmp_path, "d4", level="tactical", exchanges=("e2",))
    assert adapters.forgotten(["e1"]) == [first.digest, second.digest, third.digest]
    assert adapters.forgotten(["e2"]) == [other.digest]


def test_one_may_have_them_withdrawn_at_once(adapters: Adapters, tmp_path: Path) -> None:
    first = admit(adapters, tmp_path, "d1", exchanges=("e1",))
    admit(adapters, tmp_path, "d2", exchanges=("e2",))
    admit(adapters, tmp_path, "d3", exchanges=("e2",), share=0.5)
    adapters.forgotten(["e2"], withdraw=True, now_ns=NOW)
    assert adapters.announced()[0] == AdapterCurrent(adapters=[first])
    assert not adapters.due("sensory")
    adapters.forgotten(["e1"], withdraw=True, now_ns=NOW)
    assert adapters.announced()[0] == AdapterCurrent(adapters=[])


# Formats and crashes


def old_format(state: Path) -> dict[str, Adapter]:
    root = state / "adapters"
    root.mkdir(mode=0o700, exist_ok=True)
    found = {}
    for dream in ("d1", "d2"):
        made_here = candidate(root / dream, dream.encode())
        digest = weights_digest(open_folder(made_here))
        made_here.rename(root / digest)
        found[dream] = Adapter(
            level="sensory", digest=digest, path=str(root / digest), base_version="base", dream=dream
        )
    place = {"current": found["d2"], "previous": found["d1"]}
    plain = {key: {name: getattr(each, name) for name in each.__struct_fields__} for key, each in place.items()}
    (root / "current.json").write_text(json.dumps({"sensory": plain}))
    return found


def test_an_index_of_the_earlier_format_is_taken_over_with_all_it_says(state: Path) -> None:
    found = old_format(state)
    adapters = Adapters.load(state)
    assert adapters.announced() == (AdapterCurrent(adapters=[found["d2"]]), [])
    assert Adapters.load(state).roll_back("sensory", "", NOW) == found["d1"]
    assert adapters.forgotten(["anything"]), "nobody knows what they learned from"


def test_the_earlier_format_is_not_believed_once_records_are_signed(
    adapters: Adapters, state: Path, tmp_path: Path
) -> None:
    admit(adapters, tmp_path, "d9")
    old_format(state)
    with pytest.raises(ConfigError, match="does not say which"):
        Adapters.load(state)


class Killed(BaseException):
    """Nothing of the process runs after it."""


def killed_at(step: int, monkeypatch: pytest.MonkeyPatch, work: Callable[[], Any]) -> bool:
    """Whether `work` was killed before its `step`-th change of the disk; nothing changes any more after that."""
    left = [step]

    def guard(real: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return real(*args, **kwargs)

        return guarded

    with monkeypatch.context() as patched:
        for name in ("rename", "replace", "unlink", "rmdir", "mkdir", "fsync"):
            patched.setattr(os, name, guard(getattr(os, name)))
        try:
            work()
        except Killed:
            return True
    return False


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_killed_between_any_two_steps_the_same_promotion_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    step, killed = 0, True
    while killed:
        state = tmp_path / f"{step}"
        state.mkdir(mode=0o700)
        adapters = Adapters.load(state)
        before = [admit(adapters, state, dream) for dream in ("d1", "d2")][-1]
        folder = candidate(state / "new", b"new")

        def promote(adapters: Adapters, folder: Path = folder) -> Adapter:
            return adapters.admit(folder, "sensory", made("d3"), share=share, now_ns=NOW).adapter

        killed = killed_at(step, monkeypatch, lambda adapters=adapters: promote(adapters))  # type: ignore[misc]
        found = Adapters.load(state)
        told, refused = found.announced()
        assert not refused
        assert all(Path(each.path).is_dir() for each in told.adapters)
        assert found.current("sensory").dream in {"d2", "d2" if share else "d3"}
        adapter = promote(found)
        assert found.current("sensory") == (before if share else adapter)
        assert states(found) == {
            "d1": "retired",
            "d2": "champion" if share else "retired",
            "d3": "challenger" if share else "champion",
        }
        found.roll_back("sensory", "to see that nothing is missing", NOW)
        step += 1
    assert step > 10


def test_killed_between_any_two_steps_a_rollback_was_done_or_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, killed = 0, True
    while killed:
        state = tmp_path / f"{step}"
        state.mkdir(mode=0o700)
        adapters = Adapters.load(state)
        for dream in ("d1", "d2"):
            admit(adapters, state, dream)
        killed = killed_at(step, monkeypatch, lambda adapters=adapters: adapters.roll_back("sensory", "", NOW))  # type: ignore[misc]
        found = Adapters.load(state)
        told, _ = found.announced()
        assert [each.dream for each in told.adapters] in (["d1"], ["d2"])
        assert Path(told.adapters[0].path).is_dir()
        step += 1
    assert step > 3


def test_killed_between_any_two_steps_the_earlier_format_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, killed = 0, True
    while killed:
        state = tmp_path / f"{step}"
        state.mkdir(mode=0o700)
        found = old_format(state)
        killed = killed_at(step, monkeypatch, lambda state=state: Adapters.load(state))  # type: ignore[misc]
        assert Adapters.load(state).announced() == (AdapterCurrent(adapters=[found["d2"]]), [])
        step += 1
    assert step > 5
