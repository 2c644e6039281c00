import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.supervisor.records import MAX_LINE, Framer, body, decode, encode, record, render, tail

HEAD = {"node": "ears", "pid": 7, "stream": "stderr", "now": 5.0, "cut": False}


def of(line: bytes) -> dict[str, object]:
    return record(line, **HEAD)


@given(st.lists(st.binary(max_size=50).filter(lambda line: b"\n" not in line and not line.endswith(b"\r"))), st.data())
def test_lines_come_out_as_they_went_in_however_they_arrive(lines: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    framer, found, position = Framer(), [], 0
    while position < len(stream):
        size = data.draw(st.integers(min_value=1, max_value=40))
        found += framer.feed(stream[position : position + size])
        position += size
    assert found + framer.finish() == [(line, False) for line in lines]


def test_a_line_without_an_end_comes_out_at_the_end() -> None:
    framer = Framer()
    assert framer.feed(b"half a li") == []
    assert framer.finish() == [(b"half a li", False)]
    assert framer.finish() == []


@pytest.mark.parametrize("size", [1000, 1 << 20])
def test_a_very_long_line_comes_in_pieces_that_say_so(size: int) -> None:
    line, framer, found = b"x" * (3 * MAX_LINE + 5), Framer(), []
    for start in range(0, len(line), size):
        found += framer.feed(line[start : start + size])
    found += framer.feed(b"\n")
    assert b"".join(piece for piece, _ in found) == line
    assert [cut for _, cut in found] == [True, True, True, False]
    assert max(len(piece) for piece, _ in found) <= MAX_LINE


def test_json_keeps_its_fields_but_not_who_and_when() -> None:
    entry = of(
        b'{"event": "model.loaded", "level": "info", "time": "2020", "node": "forged", "pid": 1, "seconds": 2.5}'
    )
    assert entry == {
        "time": 5.0,
        "node": "ears",
        "pid": 7,
        "stream": "stderr",
        "event": "model.loaded",
        "level": "info",
        "seconds": 2.5,
    }


@pytest.mark.parametrize("line", [b"plain", b"{not json", b"[1]", b'"text"', b"{" * 5000, b'{"a": 1} trailing'])
def test_anything_else_is_text(line: bytes) -> None:
    assert of(line)["text"] == line.decode()


def test_bytes_that_are_not_utf_8_survive_as_escapes() -> None:
    assert of(b"caf\xe9 \xff")["text"] == "caf\\xe9 \\xff"


@given(st.binary(max_size=200))
def test_whatever_is_printed_becomes_one_line_that_reads_back(line: bytes) -> None:
    entry = of(line)
    written = encode(entry)
    assert written.count(b"\n") == 1
    assert decode(written) == json.loads(written) == json.loads(json.dumps(entry))
    assert "\x1b" not in render(entry, colour=False, width=4)


def test_people_see_node_level_event_and_fields() -> None:
    entry = of(b'{"event": "model.loaded", "level": "warning", "seconds": 2.50, "why": "too slow", "sizes": [1, 2]}')
    assert (
        render(entry, colour=False, width=6) == "ears   │ warning model.loaded seconds=2.5 why='too slow' sizes=[1,2]"
    )


def test_colour_is_the_nodes_own_and_of_the_level() -> None:
    shown = render(of(b'{"event": "x", "level": "error"}'), colour=True, width=0)
    assert shown == render(of(b'{"event": "x", "level": "error"}'), colour=True, width=0)
    assert "\x1b[31merror  \x1b[0m" in shown


def test_a_trace_stands_below_its_event() -> None:
    entry = of(json.dumps({"event": "x", "exception": "Traceback\n  line"}).encode())
    assert body(entry) == ["info    x", "  Traceback", "    line"]


def test_the_tail_is_the_last_lines_as_they_were_printed() -> None:
    entries = [of(b"one"), of(b'{"event": "two", "level": "error"}'), of(b"x" * 1000)]
    assert tail(entries, 2) == ["error   two", "x" * 500]


def test_a_line_that_a_crash_left_incomplete_is_no_record() -> None:
    assert decode(b'{"time": 5.0, "no') is None
