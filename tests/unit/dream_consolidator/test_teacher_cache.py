"""What teachers said: the same question to the same version is found again, and never more is kept than allowed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nodes.dream_consolidator.teacher_cache import TeacherCache
from protocol.messages.model import ChatMessage, Exercise, Solution
from runtime.sealing import Sealer

SECRET = b"s" * 32


def question(text: str, answer: str = "") -> Exercise:
    return Exercise(messages=[ChatMessage(role="user", content=text)], answer=answer)


def solution(text: str, size: int = 0) -> Solution:
    return Solution(index=0, text=text, top_ids=b"\0" * size)


def opened(directory: Path, capacity: int = 1 << 20) -> TeacherCache:
    return TeacherCache(directory / "cache.sqlite", Sealer(SECRET, "dream"), capacity)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[TeacherCache]:
    made = opened(tmp_path)
    yield made
    made.close()


def test_it_finds_what_the_same_version_said_to_the_same_and_nothing_else(cache: TeacherCache) -> None:
    cache.put("v1", 4, 0, [("x/1", question("a ?"), solution("b"))])
    assert cache.get("v1", 4, 0, [("x/2", question("a ?"))]) == {"x/2": solution("b")}
    for version, top_k, limit, asked in (
        ("v2", 4, 0, question("a ?")),
        ("v1", 5, 0, question("a ?")),
        ("v1", 4, 9, question("a ?")),
        ("v1", 4, 0, question("a")),
        ("v1", 4, 0, question("a ?", answer="b")),
    ):
        assert cache.get(version, top_k, limit, [("x/2", asked)]) == {}
    assert (cache.stats()["hits"], cache.stats()["misses"]) == (1, 5)


def test_it_outlives_the_process_and_says_nothing_in_the_clear(tmp_path: Path) -> None:
    first = opened(tmp_path)
    first.put("v", 4, 0, [("x/1", question("where is the spare key ?"), solution("under the mat"))])
    first.close()
    for file in tmp_path.iterdir():
        assert b"spare key" not in file.read_bytes()
        assert b"under the mat" not in file.read_bytes()
    again = opened(tmp_path)
    assert again.get("v", 4, 0, [("x/1", question("where is the spare key ?"))])["x/1"].text == "under the mat"
    again.close()


def test_what_was_used_longest_ago_goes_first_and_is_counted(tmp_path: Path) -> None:
    cache = opened(tmp_path, capacity=4000)
    for name in "abc":
        cache.put("v", 4, 0, [(name, question(name), solution(name, 1000))])
    cache.get("v", 4, 0, [("a", question("a"))])
    cache.put("v", 4, 0, [("d", question("d"), solution("d", 1000))])
    kept = cache.get("v", 4, 0, [(name, question(name)) for name in "abcd"])
    assert sorted(kept) == ["a", "c", "d"]
    stats = cache.stats()
    assert (stats["entries"], stats["evicted"]) == (3, 1)
    assert stats["bytes"] <= stats["capacity"]
    cache.close()


def test_an_answer_larger_than_all_there_is_room_for_is_not_kept(tmp_path: Path) -> None:
    cache = opened(tmp_path, capacity=100)
    cache.put("v", 4, 0, [("a", question("a"), solution("a", 1000))])
    assert (cache.stats()["entries"], cache.stats()["evicted"]) == (0, 1)
    cache.close()


def test_to_forget_an_exchange_drops_all_that_was_said_to_it_under_whichever_name(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    cache.put("v1", 0, 0, [("x/1", question("a ?"), solution("b"))])
    cache.put("v1", 4, 0, [("x/1", question("a ?", answer="b"), solution("b"))])
    cache.put("v1", 4, 0, [("x/2", question("other ?"), solution("c"))])
    cache.get("v1", 0, 0, [("x/3", question("a ?"))])
    cache.put("v1", 0, 0, [("x/1", question("a ?"), solution("b again"))])
    other = opened(tmp_path)
    assert other.forget(["x/3", "nobody"]) == 1, "what x/1 was asked in the same words goes too"
    assert other.forget(["x/1"]) == 1
    assert other.stats()["forgotten"] == 2
    assert sorted(cache.get("v1", 4, 0, [("x/1", question("a ?", answer="b")), ("x/2", question("other ?"))])) == [
        "x/2"
    ]
    other.close()
    cache.close()


def test_what_a_teacher_answered_is_told_by_exchange_and_what_it_was_shown_is_not(cache: TeacherCache) -> None:
    shown = Solution(index=0, text="shown", finished=True, top_k=4)
    answered = Solution(index=0, text=" answered", finished=True)
    cache.put("v", 0, 9, [("x/1", question("a ?"), answered)])
    cache.put("v", 4, 0, [("x/1", question("a ?", answer="shown"), shown)])
    assert (cache.answer("x/1"), cache.answer("x/2")) == ("answered", "")
    cache.forget(["x/1"])
    assert cache.answer("x/1") == ""
