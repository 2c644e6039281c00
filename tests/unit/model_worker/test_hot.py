"""Chunks in shared memory: mapped by many, leased while they are, and never believed when spoiled."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nodes.model_worker.engine import Engine
from nodes.model_worker.kv.chunkfile import Content, Keys
from nodes.model_worker.kv.hot import HOT, Hot
from nodes.model_worker.kv.vault import Vault
from nodes.model_worker.levels import Level
from protocol.messages.model import Generate
from runtime.identity import HostIdentity
from tests.fabric import ROOT

MODEL = "m"
SIZE = 2 * 2 * 2 * 8 * 16 * 4
"""Bytes of a chunk."""


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(HostIdentity.load(tmp_path))


@pytest.fixture
def hot(tmp_path: Path, keys: Keys) -> Hot:
    return Hot(tmp_path / "hot", keys, budget=4 * (SIZE + 1000))


def content(number: int) -> Content:
    return Content(
        fingerprint={},
        exactness="cold",
        size=8,
        dtype="float32",
        shape=[2, 2, 2, 8, 16],
        parent="",
        ids=[number * 8 + at for at in range(8)],
        start=0,
        model=MODEL,
        layers=[bytes([number]) * (SIZE // 2), bytes([number + 1]) * (SIZE // 2)],
    )


def address(number: int) -> str:
    return f"{number:040x}"


def files(hot: Hot) -> list[str]:
    return sorted(path.stem for path in hot.directory.iterdir())


def test_what_one_puts_another_maps(hot: Hot, keys: Keys) -> None:
    assert hot.put(address(1), MODEL, content(1))
    mapped = Hot(hot.directory, keys, budget=1 << 20).map(address(1), MODEL)
    assert mapped is not None
    assert mapped.memory[mapped.start :] == b"".join(content(1).layers)
    assert (mapped.ids, mapped.shape, mapped.dtype) == (content(1).ids, content(1).shape, "float32")
    assert hot.map(address(2), MODEL) is None


def test_what_is_leased_stays_and_the_longest_unused_of_the_rest_goes(hot: Hot) -> None:
    for number in range(4):
        hot.put(address(number), MODEL, content(number))
        os.utime(hot.directory / f"{address(number)}{HOT}", ns=(number, number))
    lease = hot.map(address(0), MODEL)
    assert hot.put(address(9), MODEL, content(9))
    assert address(0) in files(hot)
    assert address(1) not in files(hot)
    assert hot.nbytes <= 4 * (SIZE + 1000)
    del lease
    hot.close()
    assert not hot.directory.exists()


def test_when_all_is_leased_nothing_more_is_shared(hot: Hot) -> None:
    leases = []
    for number in range(4):
        hot.put(address(number), MODEL, content(number))
        leases.append(hot.map(address(number), MODEL))
    assert not hot.put(address(9), MODEL, content(9))
    hot.close()
    assert len(files(hot)) == 4, "what somebody leases survives the others' end"


@pytest.mark.parametrize(
    "change", [lambda data: data[:100], lambda data: data[:-1] + b"x", lambda _: b"", lambda _: b"?" * 99]
)
def test_a_spoiled_chunk_is_not_believed_and_removed(hot: Hot, change: Callable[[bytes], bytes]) -> None:
    hot.put(address(1), MODEL, content(1))
    path = hot.directory / f"{address(1)}{HOT}"
    path.write_bytes(change(path.read_bytes()))
    assert hot.map(address(1), MODEL) is None
    assert not path.exists() or not path.stat().st_size


def test_another_model_or_another_host_cannot_use_it(hot: Hot, tmp_path: Path) -> None:
    hot.put(address(1), MODEL, content(1))
    assert hot.map(address(1), "other") is None
    hot.put(address(1), MODEL, content(1))
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    foreign = Hot(hot.directory, Keys(HostIdentity.load(tmp_path / "elsewhere")), budget=1 << 20)
    assert foreign.map(address(1), MODEL) is None


READER = """
import sys, time
from pathlib import Path
from nodes.model_worker.kv.chunkfile import Keys
from nodes.model_worker.kv.hot import Hot
from runtime.identity import HostIdentity
home = Path(sys.argv[1])
held = Hot(home / "hot", Keys(HostIdentity.load(home)), budget=1 << 20).map(sys.argv[2], "m")
print(held is not None, flush=True)
time.sleep(600)
"""


def test_a_reader_that_is_killed_gives_its_lease_back(hot: Hot, tmp_path: Path) -> None:
    hot.put(address(1), MODEL, content(1))
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(tmp_path), address(1)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == "True\n"
    hot.close()
    assert files(hot) == [address(1)]
    reader.kill()
    reader.wait()
    reader.stdout.close()
    hot.close()
    assert not hot.directory.exists()


WRITER = """
import sys
from pathlib import Path
from nodes.model_worker.kv.chunkfile import Keys
from nodes.model_worker.kv.hot import Hot
from runtime.identity import HostIdentity
from tests.unit.model_worker.test_hot import address, content
home = Path(sys.argv[1])
hot = Hot(home / "hot", Keys(HostIdentity.load(home)), budget=3 * 20000)
for turn in range(60):
    number = turn % 6
    hot.put(address(number), "m", content(number))
    mapped = hot.map(address(number), "m")
    if mapped is not None:
        assert mapped.memory[mapped.start:] == b"".join(content(number).layers)
assert hot.counts.spoiled == 0
print("ok")
"""


def test_two_writers_leave_whole_chunks_only(hot: Hot, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(2)]
    assert [writer.communicate()[0] for writer in both] == ["ok\n", "ok\n"]
    assert hot.nbytes <= 3 * 20000 + SIZE + 1000


@pytest.fixture
def engines(tmp_path: Path, keys: Keys, level: Level) -> Iterator[Callable[[], Engine]]:
    vaults = []

    def start() -> Engine:
        hot = Hot(tmp_path / "shared", keys, budget=1 << 20)
        vaults.append(Vault(tmp_path / "attention", keys, budget=1 << 30, hot=hot))
        return Engine(level, vault=vaults[-1])

    yield start
    for vault in vaults:
        vault.close()


def test_a_second_worker_maps_what_the_first_computed_and_says_the_same(engines: Callable[[], Engine]) -> None:
    asked = [7 * i % 290 + 3 for i in range(70)]
    first = engines()
    said = first.generate(Generate(ids=asked, session="a", max_new_tokens=6))
    first.save_state()
    second = engines()
    again = second.generate(Generate(ids=asked, session="b", max_new_tokens=6))
    assert (again.tokens_restored, again.tokens_computed) == (64, 70 - 64)
    assert (again.ids, again.confidence) == (said.ids, said.confidence)
    assert second.disk_stats()["shared_mapped"] == 4
    assert second.disk_stats()["disk_read"] == 0
