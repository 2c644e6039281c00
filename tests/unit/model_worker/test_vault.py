"""What was computed survives the process, and nothing wrong ever comes back from the disk."""

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from nodes.model_worker.engine import Engine
from nodes.model_worker.errors import ContextTooLong, StateOutOfReach
from nodes.model_worker.kv import chunkfile
from nodes.model_worker.kv.chunkfile import Keys, Unreadable
from nodes.model_worker.kv.vault import INDEX, Vault, differing
from nodes.model_worker.levels import Level
from protocol.errors import BadRequest
from protocol.messages.model import Generate, Generated
from runtime.identity import HostIdentity

ASKED = [7 * i % 290 + 3 for i in range(70)]


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(HostIdentity.load(tmp_path))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "attention"


Host = Callable[..., Engine]


@pytest.fixture
def host(level: Level, keys: Keys, place: Path) -> Iterator[Host]:
    """Makes an engine with a vault on the same directory, as a process that has just started."""
    vaults = []

    def start(keys: Keys = keys, budget: int = 1 << 30, **changes: object) -> Engine:
        vaults.append(Vault(place, keys, budget=budget))
        return Engine(msgspec.structs.replace(level, **changes), vault=vaults[-1])

    yield start
    for vault in vaults:
        vault.close()


def ask(engine: Engine, ids: list[int], session: str = "s", **how: object) -> Generated:
    return engine.generate(Generate(ids=ids, session=session, max_new_tokens=6, **how))


def converse(engine: Engine, turns: int = 2, session: str = "s") -> list[int]:
    """A few turns; the ids that the next one begins with."""
    ids = list(ASKED)
    for turn in range(turns):
        ids += [*ask(engine, ids, session).ids, 11 + turn]
    return ids


def test_a_conversation_goes_on_after_a_restart_as_if_there_had_been_none(host: Host) -> None:
    whole, first = host(), host()
    ids = converse(first)
    assert converse(whole, session="w") == ids
    first.close()
    resumed, uninterrupted = ask(host(), ids), ask(whole, ids, "w")
    assert resumed.tokens_reused == resumed.tokens_restored == uninterrupted.tokens_reused == len(ids) - 2
    assert (resumed.ids, resumed.confidence) == (uninterrupted.ids, uninterrupted.confidence)
    assert uninterrupted.tokens_restored == 0


def test_unloading_writes_down_what_was_computed(host: Host) -> None:
    engine = host()
    ids = converse(engine)
    engine.unload()
    assert ask(engine, ids).tokens_restored == len(ids) - 2


def test_another_process_finds_the_whole_chunks_of_the_first(host: Host) -> None:
    first = host()
    converse(first)
    first.close()
    other = ask(host(), [*ASKED, 1], "another")
    assert (other.tokens_reused, other.tokens_restored, other.exactness) == (64, 64, "cold")


def test_an_earlier_answer_keeps_the_ids_it_was_generated_in(host: Host) -> None:
    from tests.unit.model_worker.test_engine import chat

    engine = host()
    first = engine.generate(Generate(messages=chat("what is two ?"), session="s"))
    engine.close()
    again = host().generate(Generate(messages=chat("what is two ?", first.text, "ok"), session="s"))
    assert again.tokens_reused == first.tokens_computed + first.tokens_generated - 1


def test_the_disk_holds_no_more_than_its_budget(host: Host, place: Path) -> None:
    engine = host(budget=60_000)
    for number in range(12):
        ask(engine, [number + 3, *ASKED], f"s{number}")
    engine.close()
    held = sum(path.stat().st_size for path in place.rglob("*.kv*"))
    assert 30_000 < held <= 60_000
    assert ask(host(), [14, *ASKED], "s11").tokens_restored == 70
    assert ask(host(), [3, *ASKED], "s0").tokens_restored == 0


def test_what_no_conversation_needs_any_more_is_not_remembered_for_ever(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nodes.model_worker.kv.sessions.MOST", 3)
    engine = host(state=60_000)
    for number in range(20):
        ask(engine, [number + 3, *ASKED], f"s{number}")
        assert engine._shelf.flush(60)
    stats = engine.stats()
    assert stats["sessions_forgotten"] == 17
    assert stats["chunks"] <= 5 * 5
    assert ask(engine, [3, *ASKED], "s0").tokens_restored == 70


def test_an_outgrown_end_leaves_the_disk(host: Host, place: Path) -> None:
    engine = host()
    converse(engine, turns=4)
    engine.close()
    held = ask(host(), ASKED[:1], "x")
    assert held.tokens_reused == 0
    chunks = len(list(place.rglob("*.kv")))
    ids = 70 + 4 * 7
    assert chunks <= ids // 16 + 4, "one file for every whole chunk, and the ends of the last turns"


def files(place: Path) -> list[Path]:
    return sorted(place.glob("chunks/*/*.kv"))


def first_file(place: Path) -> Path:
    """Of a chunk that a conversation begins with."""
    return next(path for path in files(place) if chunkfile.read_public(path.read_bytes())[0].parent == "")


def lose_index(place: Path) -> None:
    for path in place.glob(f"{INDEX}*"):
        path.unlink()


def damaged(path: Path, change: Callable[[bytearray], None]) -> None:
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)


def test_any_flipped_byte_of_a_chunk_is_found(host: Host, place: Path, keys: Keys) -> None:
    engine = host()
    converse(engine)
    engine.close()
    path = files(place)[0]
    whole = path.read_bytes()
    chunkfile.unpack(keys, whole, path.stem)
    for at in range(len(whole)):
        with pytest.raises(Unreadable):
            chunkfile.unpack(keys, whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :], path.stem)


@pytest.mark.parametrize("sixteenth", range(16))
def test_a_chunk_cut_off_anywhere_is_a_miss_and_the_answer_is_right(host: Host, place: Path, sixteenth: int) -> None:
    engine = host()
    ids = converse(engine)
    expected = ask(engine, ids, "copy")
    engine.close()
    path = next(path for path in files(place) if host()._vault.index.chunk(path.stem).parent == "")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * sixteenth // 16])
    again = host()
    answer = ask(again, ids)
    assert answer.ids == expected.ids
    assert answer.tokens_reused == 0
    assert "cut off" in answer.missed or "does not open" in answer.missed or "bytes" in answer.missed
    assert [moved.name for moved in (place / "quarantine").iterdir()] == [path.name]


def test_swapped_chunks_are_a_miss_and_the_answer_is_right(host: Host, place: Path) -> None:
    engine = host()
    ids = converse(engine)
    expected = ask(engine, ids, "copy")
    engine.close()
    first, second, *_ = files(place)
    spare = place / "spare"
    shutil.move(first, spare)
    shutil.move(second, first)
    shutil.move(spare, second)
    answer = ask(host(), ids)
    assert answer.ids == expected.ids
    assert answer.tokens_reused < len(ids) - 2
    assert "another chunk than its name says" in answer.missed


def test_a_key_that_is_not_ours_opens_nothing(host: Host, place: Path, tmp_path: Path) -> None:
    engine = host()
    ids = converse(engine)
    expected = ask(engine, ids, "copy")
    engine.close()
    stranger = Keys(HostIdentity.load(tmp_path / "elsewhere")) if (tmp_path / "elsewhere").mkdir() is None else None
    answer = ask(host(keys=stranger), ids)
    assert answer.ids == expected.ids
    assert answer.tokens_reused == 0


def test_another_model_is_named_by_the_part_that_differs(host: Host, level: Level, tmp_path: Path) -> None:
    from tests.unit.model_worker import tiny

    engine = host()
    ids = converse(engine)
    engine.close()
    other = host(model=str(tiny.save(tmp_path / "other", seed=1)))
    answer = ask(other, ids)
    assert answer.tokens_reused == 0
    assert answer.missed.startswith("kept under another model: weights is ")
    assert "config" not in answer.missed


def test_a_conversation_of_a_newer_version_is_named(host: Host, place: Path) -> None:
    engine = host()
    ids = converse(engine)
    engine.close()
    (path,) = place.glob("sessions/*.kvs")
    damaged(path, lambda data: data.__setitem__(8, 9))
    again = host()
    assert path.exists(), "the later version may want it"
    assert "written in version 9, this program reads 1" in ask(again, ids).missed


def test_a_lost_index_is_made_again_from_the_files(host: Host, place: Path) -> None:
    engine = host()
    ids = converse(engine)
    engine.close()
    engine._vault.close()
    lose_index(place)
    assert ask(host(), ids).tokens_restored == len(ids) - 2
    assert ask(host(), [*ASKED, 1], "another").tokens_restored == 64


def test_a_spoiled_index_is_moved_away_and_made_again(host: Host, place: Path) -> None:
    engine = host()
    ids = converse(engine)
    engine.close()
    engine._vault.close()
    for path in place.glob(f"{INDEX}*"):
        path.write_bytes(b"not a database at all" * 100)
    again = host()
    assert ask(again, ids).tokens_restored == len(ids) - 2
    assert again._vault.counts.rebuilt == 1


def test_a_chunk_that_is_gone_is_a_miss(host: Host, place: Path) -> None:
    engine = host()
    ids = converse(engine)
    expected = ask(engine, ids, "copy")
    engine.close()
    again = host()
    for path in files(place):
        path.unlink()
    answer = ask(again, ids)
    assert (answer.ids, answer.tokens_reused) == (expected.ids, 0)
    assert "it is gone" in answer.missed


def test_a_full_disk_is_shown_and_written_again_later(host: Host, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = host()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("nodes.model_worker.kv.vault.write_atomically", full)
        converse(engine)
        assert not engine._shelf.flush(60)
        assert "No space left on device" in engine.state_problem
    assert engine._shelf.flush(60), "what could not be written was kept, and is written without a further turn"
    assert engine.state_problem == ""
    ids = converse(engine)
    engine.close()
    assert ask(host(), ids).tokens_restored == len(ids) - 2


def test_what_memory_lets_go_of_while_it_waits_to_be_written_is_not_lost(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = host(state=24_000)
    writing = threading.Event()
    monkeypatch.setattr(engine._vault, "write_session", lambda *_: writing.wait(60))
    for number in range(2):
        ask(engine, [number + 3, *ASKED], f"s{number}")
    assert engine.stats()["evicted"] > 0
    again = ask(engine, [3, *ASKED], "s0")
    assert (again.tokens_reused, again.tokens_restored) == (70, 0)
    assert engine.stats()["lost"] == 0
    writing.set()
    engine.close()


def test_a_kill_between_a_conversation_and_its_row_is_made_good(
    host: Host, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = host()
    ids = converse(engine)
    assert engine._shelf.flush(60)
    with monkeypatch.context() as killed:
        killed.setattr(engine._vault.index, "put_session", lambda _row: 1 / 0)
        ids += [*ask(engine, ids).ids, 30]
        assert not engine._shelf.flush(60)
        vault = Vault(place, engine._vault.keys, budget=1 << 30)  # as the next process opens it
        ((row, _, kept),) = vault.manifests()
        assert row.end == kept.line[-1].address
        vault.evict()
        vault.close()
    assert ask(host(), ids).tokens_restored == len(ids) - 2


def test_one_writes_or_removes_at_a_time_and_waits_for_the_other(
    place: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (Vault(place, keys, budget=1 << 30) for _ in range(2))
    with one.alone(), one.alone(), pytest.raises(TimeoutError, match="writing into it"), other.alone(0.05):
        pass
    with other.alone():
        assert other.index.nbytes() == 0
    monkeypatch.setattr("nodes.model_worker.kv.vault.PATIENCE_S", 0.05)
    with one.alone(), pytest.raises(StateOutOfReach, match="attention state cannot be kept here"):
        Vault(place, keys, budget=1 << 30)
    one.close()
    other.close()


def test_what_one_process_removes_another_is_never_left_resting_on(host: Host, place: Path, keys: Keys) -> None:
    """Two that write conversations with one beginning, and a third that has hardly any room and removes."""
    greedy = Vault(place, keys, budget=20_000)
    engines = [host(), host()]
    ended = threading.Event()

    def remove() -> None:
        while not ended.is_set():
            greedy.evict()

    thread = threading.Thread(target=remove)
    thread.start()
    try:
        for number in range(10):
            for engine in engines:
                ask(engine, [*ASKED, number + 3], f"s{number % 3}")
        assert all(engine._shelf.flush(60) for engine in engines)
    finally:
        ended.set()
        thread.join()
    rows = {row.address for row in greedy.index.chunks()}
    assert rows == {path.stem for path in files(place)}
    for _, _, kept in greedy.manifests():
        assert {chunk.address for chunk in kept.line} <= rows
    greedy.close()


def test_a_file_that_cannot_be_read_now_is_a_miss_and_stays(
    host: Host, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = host()
    ids = converse(engine)
    expected = ask(engine, ids, "copy")
    engine.close()
    engine._vault.close()
    kept = set(files(place))
    lose_index(place)
    first = first_file(place)
    read = Path.read_bytes

    def sometimes(path: Path) -> bytes:
        if path == first:
            raise OSError(5, "Input/output error")
        return read(path)

    with monkeypatch.context() as flaky:
        flaky.setattr(Path, "read_bytes", sometimes)
        answer = ask(host(), ids, "another")
        assert (answer.ids, answer.tokens_reused) == (expected.ids, 0)
        assert set(files(place)) >= kept
        assert not list((place / "quarantine").iterdir())
    assert ask(host(), ids).tokens_restored == len(ids) - 2


def test_a_place_that_is_taken_away_is_a_miss_and_no_failure(host: Host, place: Path) -> None:
    first = host()
    ids = converse(first)
    expected = ask(first, ids, "copy")
    first.close()
    again = host()
    again.load()
    shutil.rmtree(place)
    answer = ask(again, ids)
    assert (answer.ids, answer.tokens_reused) == (expected.ids, 0)
    assert not again._shelf.flush(60)
    assert "attention state is not kept" in again.state_problem


def test_chunks_whose_beginning_is_gone_are_removed_when_the_index_is_made_again(host: Host, place: Path) -> None:
    engine = host()
    converse(engine)
    engine.close()
    engine._vault.close()
    lose_index(place)
    first = first_file(place)
    first.unlink()
    host()
    assert files(place) == []


def test_what_a_killed_process_left_half_written_is_swept_up(host: Host, place: Path) -> None:
    engine = host()
    converse(engine)
    engine.close()
    beside = files(place)[0].with_name(".half.kv.4194303.0badcafe")
    beside.write_bytes(b"half")
    host()
    assert not beside.exists()


def test_files_and_directories_are_for_their_owner_alone(host: Host, place: Path) -> None:
    engine = host()
    converse(engine)
    engine.close()
    for path in [place, *place.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_what_was_said_cannot_be_read_from_the_files(host: Host, place: Path) -> None:
    from tests.unit.model_worker.test_engine import chat

    engine = host()
    engine.generate(Generate(messages=chat("the cup is in the hall ."), session="a secret name"))
    ids = engine.load().tokenizer.encode("the cup is in the hall .").ids
    engine.close()
    engine._vault.close()
    packed = msgspec.msgpack.encode(ids)[1:]
    raw = b"".join(token.to_bytes(4, "little") for token in ids)
    for path in place.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        assert b"secret" not in data
        assert b"the cup" not in data
        assert packed not in data
        assert raw not in data
        assert "secret" not in path.name


def test_cold_is_bit_for_bit_a_computation_from_nothing(host: Host, level: Level) -> None:
    engine = host()
    ids = converse(engine)
    while engine.settle(lambda: ""):
        pass
    warm = ask(engine, ids, exactness="cold")
    cold = ask(Engine(level), ids, exactness="cold")
    assert warm.tokens_reused == 64
    assert (warm.ids, warm.confidence, warm.exactness) == (cold.ids, cold.confidence, "cold")
    longer = [*ids, *warm.ids, 9, 10]
    while engine.settle(lambda: ""):
        pass
    warm = ask(engine, longer, exactness="cold")
    cold = ask(Engine(level), longer, exactness="cold")
    assert warm.tokens_reused == 80
    assert (warm.ids, warm.confidence) == (cold.ids, cold.confidence)


def test_a_class_that_there_is_not_is_refused_by_name(host: Host) -> None:
    with pytest.raises(BadRequest, match="'warm' is no class of exactness; there are cold, continuous"):
        ask(host(), ASKED, exactness="warm")


def test_a_request_that_is_refused_or_cancelled_takes_nothing_from_what_is_kept(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = host()
    ids = converse(engine)
    with pytest.raises(BadRequest):
        ask(engine, ids[:40], temperature=-1.0)
    with monkeypatch.context() as little:
        little.setattr("nodes.model_worker.loading.free_bytes", lambda _device: 0)
        with pytest.raises(ContextTooLong):
            ask(engine, [*ids[:40], *ids])
    cancelled = Generate(ids=[*ids[:40], 5, *ids], session="s")
    assert engine.generate(cancelled, cancelled=lambda: True).tokens_generated == 0
    engine.close()
    assert ask(host(), ids).tokens_restored == len(ids) - 2


def test_a_cancelled_request_after_a_restart_leaves_what_it_did_not_read(host: Host) -> None:
    first = host()
    ids = [*ASKED[:64], 9]
    ask(first, ids)
    first.close()
    second = slow_to_read(host())
    assert second.generate(Generate(ids=ids, session="s"), cancelled=lambda: True).tokens_restored == 0
    second.close()
    assert ask(host(), ids).tokens_restored == 64


def test_resuming_reads_all_that_is_kept_however_slow_the_disk(host: Host) -> None:
    first = host()
    ask(first, ASKED[:64])
    first.close()
    second = slow_to_read(host())
    kept = second.resume_state("s")
    assert kept.tokens == kept.restored == 64 + 5
    second.close()
    assert host().resume_state("s").tokens == 64 + 5


def test_settling_may_be_interrupted_and_loses_nothing(host: Host) -> None:
    engine = host()
    engine.generate(Generate(ids=ASKED, session="s", max_new_tokens=60, exactness="cold"))
    held = len(engine._sessions._kept["s"].end.all_ids())
    calls = iter([""] * 2 + ["a request waits"] * 100)
    assert engine.settle(lambda: next(calls))
    assert len(engine._sessions._kept["s"].end.all_ids()) == held
    while engine.settle(lambda: ""):
        pass
    assert len(engine._sessions._kept["s"].end.all_ids()) == held
    assert engine._sessions.unsettled() is None


def test_an_unusable_chunk_ends_the_conversation_that_is_resumed_before_it(host: Host, place: Path) -> None:
    first = host()
    converse(first)
    first.close()
    second = host()
    third = sorted(second._vault.index.chunks(), key=lambda row: (row.exactness, row.tokens))
    (second._vault.directory / "chunks" / third[-1].address[:2] / f"{third[-1].address}.kv").write_bytes(b"junk")
    resumed = second.resume_state("s")
    assert resumed.missed
    assert resumed.tokens < 69
    second.close()
    again = host().resume_state("s") if resumed.tokens else None
    assert again is None or (again.tokens, again.missed) == (resumed.tokens, "")


def slow_to_read(engine: Engine) -> Engine:
    """An engine that has learned that its disk is slower than computing."""
    engine.load()
    engine._sessions.costs.computed(1, 1e-9)
    engine._sessions.costs.loaded(1, 1.0)
    return engine


def test_what_is_faster_computed_than_read_is_computed_where_that_gives_the_same_bits(host: Host) -> None:
    first = host()
    expected = ask(first, [*ASKED[:64], 9], "x")
    first.close()
    answer = ask(slow_to_read(host()), [*ASKED[:64], 9], "another")
    assert (answer.tokens_restored, answer.tokens_computed) == (0, 65)
    assert (answer.ids, answer.confidence) == (expected.ids, expected.confidence)


def test_a_conversation_that_was_decoded_is_read_however_slow_the_disk(host: Host) -> None:
    first, whole = host(), host()
    ids = converse(first)
    converse(whole, session="w")
    first.close()
    resumed, uninterrupted = ask(slow_to_read(host()), ids), ask(whole, ids, "w")
    assert resumed.tokens_restored == len(ids) - 2
    assert (resumed.ids, resumed.confidence) == (uninterrupted.ids, uninterrupted.confidence)


def test_differing_parts_are_named() -> None:
    assert differing({"a": "1", "b": "2"}, {"a": "1", "b": "3"}) == "b is '2', not '3'"
    assert differing({"a": "1"}, {"a": "1"}) == ""
