"""What travels, how it is paced and counted, and where the peers live."""

import msgspec
import pytest

from runtime.bench.peers import environment, pacing
from runtime.bench.peers.sample import BLOCK_BYTES, MAKERS, SAMPLE_BYTES, TYPES


@pytest.mark.parametrize(("kind", "size", "slack"), [("sample", SAMPLE_BYTES, 4), ("block", BLOCK_BYTES, 64)])
def test_a_message_has_the_size_that_is_promised(kind, size, slack):
    encoded = msgspec.msgpack.encode(MAKERS[kind](3, 777, 123_456_789_012_345))
    assert abs(len(encoded) - size) <= slack
    again = msgspec.msgpack.decode(encoded, type=TYPES[kind])
    assert (again.round, again.number, again.sent_ns) == (3, 777, 123_456_789_012_345)


@pytest.mark.parametrize("rate", [0, 500, 1000, 40_000])
@pytest.mark.parametrize("count", [0, 1, 7, 130])
def test_as_many_are_sent_as_were_asked_for(count, rate):
    numbers = []
    answer = pacing.send_all(numbers.append, count, rate)
    assert numbers == list(range(1, count + 1))
    assert answer["sent"] == count
    assert answer["last_ns"] >= answer["first_ns"]


def test_a_tally_counts_one_round_at_a_time():
    tally = pacing.Tally()
    tally.note(1, 0)
    tally.note(1, 0)
    assert tally.show(1)["received"] == 2
    assert tally.show(2) == {"received": 0, "last_ns": 0}
    tally.note(2, 0)
    assert tally.show(2)["received"] == 1
    assert len(tally.latencies(2)["latencies"]) == 1
    assert tally.latencies(1) == {"latencies": []}


def test_peers_that_are_not_installed_are_absent_with_a_remedy(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert environment.location().is_relative_to(tmp_path)
    with pytest.raises(environment.PeersAbsent, match="--peers"):
        environment.find()


async def test_peers_that_cannot_be_installed_are_absent_with_pips_reason(tmp_path, monkeypatch):
    def fail(directory, **options):
        pip = directory / "bin" / "python"
        pip.parent.mkdir()
        pip.write_text("#!/bin/sh\necho no network here >&2\nexit 1\n")
        pip.chmod(0o700)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("venv.create", fail)
    with pytest.raises(environment.PeersAbsent, match="no network here"):
        await environment.make()
    with pytest.raises(environment.PeersAbsent, match="--peers"):
        environment.find()


def test_peers_that_were_installed_are_found(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = environment.PeerEnvironment(directory="/somewhere", versions={"dora-rs": "1.1.0"})
    environment.location().mkdir(parents=True)
    (environment.location() / "complete.json").write_bytes(msgspec.json.encode(made))
    assert environment.find().program("dora") == "/somewhere/bin/dora"
