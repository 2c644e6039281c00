"""The drifting world is the same for everybody, and its contenders do what they are said to do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from nodes.dialogue.reality import bench
from nodes.dialogue.reality.bench import serve
from nodes.dialogue.reality.cache import Reality
from nodes.dialogue.reality.contenders import Assuming, Expiring, Invalidated, NoCache
from nodes.dialogue.reality.drifting import HOUR, Day, World
from nodes.dialogue.reality_commands import bench_reality
from tests.unit.dialogue.reality.caches import open_cache

SMALL = World(rooms=3, boxes=4, things=8, pairs=6, questions=600, seconds=6 * HOUR, thing_moves_s=(HOUR, 4 * HOUR))
STILL = msgspec.structs.replace(SMALL, drift=1e-9, wrong=0.0)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Reality]:
    with closing(open_cache(tmp_path)) as made:
        yield made


def test_a_day_follows_from_its_parameters_and_its_seed() -> None:
    assert Day(SMALL, 1).events == Day(SMALL, 1).events
    assert Day(SMALL, 1).events != Day(SMALL, 2).events
    assert SMALL.digest() != STILL.digest()
    assert len(SMALL.digest()) == 64


def test_worlds_that_differ_in_one_parameter_are_alike_in_the_rest() -> None:
    one, other = Day(SMALL, 1), Day(msgspec.structs.replace(SMALL, delay_s=60.0), 1)
    assert one.rates == other.rates
    for kind in ("move", "ask"):
        assert [each for each in one.events if each.kind == kind] == [
            each for each in other.events if each.kind == kind
        ]


def test_everything_that_is_announced_happens() -> None:
    day = Day(SMALL, 1)
    kinds = Counter(event.kind for event in day.events)
    assert kinds["ask"] == 600
    assert kinds["move"] > 0
    scans = (SMALL.boxes + SMALL.things) * SMALL.seconds / SMALL.scan_s
    assert kinds["report"] == pytest.approx(scans, rel=0.1)
    assert [event.at_s for event in day.events] == sorted(event.at_s for event in day.events)


def test_no_cache_is_never_stale_and_never_hits() -> None:
    day = Day(SMALL, 1)
    served = serve(day, NoCache(day))
    assert (served.hit_rate, served.stale_rate) == (0.0, 0.0)


def test_a_cache_that_expires_pays_for_hits_with_staleness() -> None:
    rates = []
    for lives_s in (1.0, 600.0, 3600.0):
        day = Day(SMALL, 1)
        rates.append(serve(day, Expiring(day, lives_s)))
    assert [one.hit_rate for one in rates] == sorted(one.hit_rate for one in rates)
    assert rates[-1].stale_rate > rates[0].stale_rate


def test_in_a_world_that_stands_still_everything_is_looked_up_once(cache: Reality) -> None:
    day = Day(STILL, 1)
    main = Assuming(day, cache)
    served = serve(day, main)
    asked = len({event.about for event in day.events if event.kind == "ask"})
    assert served.stale_rate == 0.0
    assert served.hit_rate >= 1 - asked / STILL.questions
    assert main.timings.rebuild == []


def test_the_reality_cache_is_fresher_than_one_that_follows_no_edges(cache: Reality) -> None:
    day = Day(SMALL, 1)
    loose = serve(day, Invalidated(day))
    day = Day(SMALL, 1)
    main = Assuming(day, cache)
    served = serve(day, main)
    assert served.stale_rate < loose.stale_rate / 5
    assert main.timings.rebuild
    assert cache.stats()["cascades"] > 0


def test_the_benchmark_ends_in_a_record_with_every_goal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bench, "World", lambda: SMALL)
    monkeypatch.setattr(bench, "WIDE", 40)
    monkeypatch.setattr(bench, "DEEP", 20)
    done = CliRunner().invoke(bench_reality, ["--quick", "--json", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout.splitlines()[-1])
    assert [goal["id"] for goal in record["goals"]] == ["hits", "stale", "rebuild"]
    assert record["figures"]["world"] == SMALL.digest()
    first = json.loads((tmp_path / "raw.jsonl").read_text().splitlines()[0])
    assert first["digest"] == SMALL.digest(), "written down before anything was measured"
    assert (tmp_path / "reality.svg").exists()
