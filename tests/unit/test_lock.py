import os
import subprocess
import sys
from pathlib import Path

import pytest

from protocol.errors import AlreadyRunning
from runtime.lock import Lock, holder


def test_a_second_holder_learns_who_is_the_first(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first = Lock.hold(path, what="the hub")
    with pytest.raises(AlreadyRunning, match=f"the hub is held by process {os.getpid()} ") as caught:
        Lock.hold(path, what="the hub", remedy="sage down")
    assert caught.value.remedy == "sage down"
    found = holder(path)
    assert found is not None
    assert found.pid == os.getpid()
    first.release()
    assert holder(path) is None
    Lock.hold(path, what="the hub").release()


def test_a_lock_that_nobody_ever_held_is_free(tmp_path: Path) -> None:
    assert holder(tmp_path / "lock") is None


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    program = (
        "import os, sys; from pathlib import Path; from runtime.lock import Lock\n"
        "Lock.hold(Path(sys.argv[1]), what='x'); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", program, path], check=False).returncode == -9
    assert b'"pid"' in path.read_bytes()
    assert holder(path) is None
    Lock.hold(path, what="x").release()


def test_a_forked_process_can_take_the_lock_over(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = Lock.hold(path, what="x")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write)
        lock.sign()
        os.read(read, 1)  # until the parent has looked
        os._exit(0)
    os.close(read)
    lock.hand_over()
    while (found := holder(path)) is not None and found.pid != child:
        pass
    os.close(write)
    os.waitpid(child, 0)
    assert found is not None
    assert holder(path) is None


def test_a_holder_that_left_no_name_is_still_a_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = Lock.hold(path, what="x")
    path.write_bytes(b"\xff not json")
    with pytest.raises(AlreadyRunning, match="process 0"):
        Lock.hold(path, what="x")
    lock.release()
