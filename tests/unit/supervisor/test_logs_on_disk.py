"""Log files and reading them back."""

import re
from pathlib import Path

import pytest

from runtime.supervisor import logview
from runtime.supervisor.logfile import KEPT, LogFile, log_path, rotated
from runtime.supervisor.records import encode


def line(time: float, node: str = "ears", **fields: object) -> bytes:
    return encode({"time": time, "node": node, **fields})


def write(state_dir: Path, node: str, *times: float) -> None:
    file = LogFile(log_path(state_dir, node))
    for time in times:
        file.write(line(time, node, text=f"{node} at {time:g}"))
    file.close()


def texts(entries: object) -> list[str]:
    return [entry["text"] for entry in entries]  # type: ignore[attr-defined]


def test_files_turn_over_by_size_and_the_oldest_goes(tmp_path: Path) -> None:
    path = log_path(tmp_path, "model_worker/sensory")
    file = LogFile(path, max_bytes=100)
    for number in range(100):
        file.write(line(number))
    file.close()
    assert path.name == "model_worker.sensory.jsonl"
    assert [found.name.removeprefix(path.name) for found in rotated(path)] == [".4", ".3", ".2", ".1", ""]
    assert all(found.stat().st_size <= 100 for found in rotated(path))
    kept = b"".join(found.read_bytes() for found in rotated(path)).splitlines(keepends=True)
    assert kept == [line(number) for number in range(100)][-len(kept) :]
    assert len(list(path.parent.iterdir())) == KEPT + 1


def test_a_batch_larger_than_a_file_is_written_whole(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "x.jsonl", max_bytes=10)
    file.write(line(1) * 3)
    file.write(line(2))
    file.close()
    assert (tmp_path / "x.jsonl.1").read_bytes() == line(1) * 3


def test_what_a_crash_left_incomplete_does_not_swallow_the_next_line(tmp_path: Path) -> None:
    path = log_path(tmp_path, "ears")
    write(tmp_path, "ears", 1)
    with path.open("ab") as file:
        file.write(b'{"time": 2, "te')
    write(tmp_path, "ears", 3)
    assert texts(logview.history(tmp_path, ["ears"], logview.wanted())) == ["ears at 1", "ears at 3"]


def test_logs_are_closed_to_others(tmp_path: Path) -> None:
    write(tmp_path, "ears", 1)
    assert log_path(tmp_path, "ears").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "logs").stat().st_mode & 0o777 == 0o700


def test_history_is_merged_by_time(tmp_path: Path) -> None:
    write(tmp_path, "ears", 1, 4, 5)
    write(tmp_path, "model_worker/sensory", 2, 3, 6)
    nodes = logview.nodes_with_logs(tmp_path)
    assert nodes == ["ears", "model_worker/sensory"]
    assert [text[-1] for text in texts(logview.history(tmp_path, nodes, logview.wanted()))] == list("123456")


@pytest.mark.parametrize(("pattern", "since", "found"), [("at [12]", None, "12"), (None, 3, "34"), ("[24]$", 3, "4")])
def test_history_is_filtered(tmp_path: Path, pattern: str | None, since: float | None, found: str) -> None:
    write(tmp_path, "ears", 1, 2, 3, 4)
    accept = logview.wanted(since=since, pattern=re.compile(pattern) if pattern else None)
    assert [text[-1] for text in texts(logview.history(tmp_path, ["ears"], accept))] == list(found)


def test_following_begins_at_the_end_and_survives_turning_over(tmp_path: Path) -> None:
    write(tmp_path, "ears", 1)
    follower = logview.Follower(tmp_path, None, logview.wanted())
    assert follower.fresh() == []
    file = LogFile(log_path(tmp_path, "ears"), max_bytes=100)
    seen: list[str] = []
    for number in range(2, 40):
        file.write(line(number, text=str(number)))
        seen += texts(follower.fresh())
    assert seen == [str(number) for number in range(2, 40)]


def test_following_finds_nodes_that_log_for_the_first_time(tmp_path: Path) -> None:
    follower = logview.Follower(tmp_path, None, logview.wanted())
    write(tmp_path, "ears", 1)
    assert texts(follower.fresh()) == ["ears at 1"]


def test_following_takes_a_line_only_when_it_is_whole(tmp_path: Path) -> None:
    write(tmp_path, "ears", 1)
    follower = logview.Follower(tmp_path, ["ears"], logview.wanted())
    whole = line(2, text="two")
    with log_path(tmp_path, "ears").open("ab") as file:
        file.write(whole[:9])
        file.flush()
        assert follower.fresh() == []
        file.write(whole[9:])
    assert texts(follower.fresh()) == ["two"]
