import json
import os

from runtime.supervisor.console import MAX_WAITING, Console
from runtime.supervisor.journal import Journal
from runtime.supervisor.state import Counters


def drained(descriptor: int) -> bytes:
    os.set_blocking(descriptor, False)
    data = b""
    try:
        while chunk := os.read(descriptor, 1 << 16):
            data += chunk
    except BlockingIOError:
        pass
    return data


async def test_records_are_shown_in_the_chosen_style() -> None:
    for style, shown in (("json", b'{"node":"a","text":"x"}\n'), ("plain", b"a   \xe2\x94\x82 x\n"), ("silent", b"")):
        read, write = os.pipe()
        console = Console(write, style, width=3)
        console.show({"node": "a", "text": "x"})
        console.close()
        assert drained(read) == shown
        os.close(read)


async def test_a_terminal_that_does_not_read_costs_lines_which_are_counted_and_said() -> None:
    read, write = os.pipe()
    console = Console(write, "json", width=0)
    line = {"node": "a", "text": "x" * 1000}
    count = 2 * MAX_WAITING // 1000
    for _ in range(count):
        console.show(line)
    assert console.dropped > 0
    shown = drained(read)
    while more := (console._flush(), drained(read))[1]:
        shown += more
    console.show({"node": "a", "text": "last"})
    console.close()
    records = [json.loads(one) for one in (shown + drained(read)).splitlines()]
    os.close(read)
    gap, last = records[-2:]
    assert (gap["event"], gap["lines"], last["text"]) == ("console.dropped", console.dropped, "last")
    assert len(records) == count - console.dropped + 2


async def test_a_terminal_that_has_gone_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    console = Console(write, "plain", width=0)
    console.show({"node": "a", "text": "x"})
    console.show({"node": "a", "text": "y"})
    console.close()


async def test_a_full_disk_costs_lines_which_are_counted(tmp_path, monkeypatch) -> None:
    read, write = os.pipe()
    counters = Counters()
    console = Console(write, "json", width=0)
    journal = Journal(tmp_path, console, counters)

    def full(*_args: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("runtime.supervisor.logfile.os.open", full)
    journal.take("ears", [{"time": 1, "node": "ears", "text": "one"}, {"time": 2, "node": "ears", "text": "two"}])
    assert (counters.log_lines, counters.log_lines_unwritten) == (2, 2)
    assert journal.last_lines("ears") == ["one", "two"]
    assert drained(read).count(b"\n") == 2
    journal.close()
    console.close()
    os.close(read)
