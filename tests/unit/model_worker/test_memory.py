"""A request that does not fit into memory is refused with the longest that does, and nothing dies."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nodes.model_worker import loading
from nodes.model_worker.engine import Engine
from nodes.model_worker.errors import ContextTooLong
from nodes.model_worker.kv.chunkfile import Keys
from nodes.model_worker.kv.vault import Vault
from nodes.model_worker.levels import Level
from nodes.model_worker.memory import HEADROOM, Needs
from protocol.messages.model import Generate
from runtime.identity import HostIdentity

NEEDS = Needs(per_token=100, workspace=1000, scores=10)


def test_a_desk_that_must_grow_is_counted_beside_the_new_tokens() -> None:
    assert NEEDS.request(50, held=20, capacity=64) == 100 * 30 + 1000 + 500
    assert NEEDS.request(80, held=20, capacity=64) == 100 * (80 + 60) + 1000 + 800


@pytest.mark.parametrize(("held", "capacity"), [(0, 0), (20, 64), (64, 64)])
def test_the_longest_fits_and_one_more_does_not(held: int, capacity: int) -> None:
    free = 20_000
    longest = NEEDS.longest(free, held=held, capacity=capacity, limit=10_000)
    assert NEEDS.request(longest, held=min(held, longest), capacity=capacity) <= free
    assert NEEDS.request(longest + 1, held=min(held, longest + 1), capacity=capacity) > free
    assert NEEDS.longest(free, held=held, capacity=capacity, limit=7) == 7
    assert NEEDS.longest(0, held=0, capacity=0, limit=7) == 0


def asked(tokens: int, session: str = "") -> Generate:
    return Generate(ids=[7 * i % 290 + 3 for i in range(tokens)], session=session, max_new_tokens=4)


OTHER = Generate(ids=[299 - i for i in range(100)], max_new_tokens=4)


def with_free(monkeypatch: pytest.MonkeyPatch, nbytes: int) -> None:
    monkeypatch.setattr(loading, "free_bytes", lambda _device: nbytes + HEADROOM)


def test_one_token_past_the_limit_is_refused_with_the_limit(level: Level, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(level)
    needs = engine.load().needs
    with_free(monkeypatch, needs.request(104, held=0, capacity=0))
    with pytest.raises(ContextTooLong, match="the limit is 100 tokens now") as refused:
        engine.generate(asked(101))
    assert refused.value.detail == {"limit": 100, "tokens": 101}
    assert engine.generate(asked(100)).tokens_generated == 4


def test_memory_that_is_not_the_devices_is_not_counted_on(level: Level, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(level)
    needs = engine.load().needs
    engine.generate(asked(300, "long"))
    chunks = engine.stats()["chunks"]
    with_free(monkeypatch, needs.request(104, held=0, capacity=0) - 200 * needs.per_token)
    monkeypatch.setattr(loading, "shares_host_memory", lambda _device: False)
    with pytest.raises(ContextTooLong, match="tokens now"):
        engine.generate(OTHER)
    assert engine.stats()["chunks"] == chunks, "and nothing was dropped for it"


def test_what_others_may_need_again_gives_way_before_anybody_is_refused(
    level: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(level)
    needs = engine.load().needs
    engine.generate(asked(300, "long"))
    free = needs.request(104, held=0, capacity=0) - 200 * needs.per_token + HEADROOM
    before = engine.stats()["bytes"]
    monkeypatch.setattr(loading, "free_bytes", lambda _device: free + before - engine.stats()["bytes"])
    assert engine.generate(OTHER).tokens_generated == 4
    assert engine.stats()["evicted"] > 0


def test_what_is_dropped_and_the_system_does_not_get_back_is_not_counted_on(
    level: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(level)
    needs = engine.load().needs
    engine.generate(asked(300, "long"))
    with_free(monkeypatch, needs.request(104, held=0, capacity=0) - 200 * needs.per_token)
    with pytest.raises(ContextTooLong, match="tokens now"):
        engine.generate(OTHER)  # as with chunks that lie in memory shared with other workers
    assert engine.stats()["evicted"] > 0


def test_what_lies_on_the_disk_is_not_read_where_there_is_no_memory_for_it(
    level: Level, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = Vault(tmp_path / "attention", Keys(HostIdentity.load(tmp_path)), budget=1 << 30)
    first = Engine(level, vault=vault)
    first.generate(asked(300, "s"))
    first.close()
    again = Engine(level, vault=vault)
    needs = again.load().needs
    with monkeypatch.context() as little:
        with_free(little, needs.request(200, held=0, capacity=0))
        with pytest.raises(ContextTooLong, match="the limit is 196 tokens now"):
            again.generate(asked(300, "s"))
        with pytest.raises(ContextTooLong, match="the limit is 200 tokens now"):
            again.resume_state("s")
        assert again.stats()["restored"] == again.stats()["bytes"] == 0
        pruned = again.generate(msgspec.structs.replace(asked(300, "s"), overflow="prune"))
        assert pruned.tokens_generated == 4
        assert 100 < pruned.tokens_reused <= 200
    assert again.resume_state("s").tokens == 303, "and none of it was lost"
    again.close()
    vault.close()


def test_nothing_is_settled_where_there_is_no_memory_for_it(level: Level, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(level)
    engine.generate(msgspec.structs.replace(asked(70, "s"), exactness="cold", max_new_tokens=60))
    engine.generate(asked(100, "other"))
    before = engine.stats()
    with monkeypatch.context() as little:
        with_free(little, 0)
        assert not engine.settle(lambda: "")
        assert engine.stats() == {**before, "hits": before["hits"] + 1}
    assert engine.settle(lambda: "")


LIMITED = """
import resource
from nodes.model_worker import random_weights
from nodes.model_worker.engine import Engine
from nodes.model_worker.errors import ContextTooLong
from nodes.model_worker.host import available_memory
from nodes.model_worker.levels import Level, Shape
from protocol.messages.model import Generate

shape = Shape(hidden=64, ffn=64, layers=8, heads=8, kv_heads=8, head_dim=64, vocab=300)
model = random_weights.build(shape, dtype="float32", device="cpu", seed=1, chunk=64)
engine = Engine(Level(name="n", model="m", context=20_000, max_new_tokens=4, state=1 << 30), model=model)

def ask(tokens):
    return engine.generate(Generate(ids=[7] * tokens, max_new_tokens=1))

ask(64)
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (300 << 20),) * 2)
try:
    ask(10_000)
except ContextTooLong as error:
    limit = error.detail["limit"]
try:
    ask(limit + 1)
except ContextTooLong as error:
    assert str(limit) in str(error)
else:
    raise AssertionError("one token past the limit was answered")
assert ask(limit).tokens_generated == 1
print(limit)
"""


def test_under_a_true_limit_the_longest_is_answered_and_one_more_refused() -> None:
    done = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 1000 < int(done.stdout) < 10_000


def test_what_a_request_needs_follows_from_the_configuration(level: Level) -> None:
    model: Any = Engine(level).load()
    assert model.needs.per_token == model.state.per_token
    assert model.needs.scores == level.prefill_chunk * 4 * 4
