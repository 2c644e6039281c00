import os
from pathlib import Path

import pytest

from protocol.errors import ConfigError, NotPermitted
from runtime import paths


@pytest.fixture(autouse=True)
def no_directories(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SAGE_RUN_DIR", "SAGE_STATE_DIR", "XDG_RUNTIME_DIR", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)


def test_directories_are_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert paths.state_dir() == tmp_path / "home/.local/state/sage"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert paths.state_dir() == tmp_path / "xdg/sage"
    monkeypatch.setenv("SAGE_STATE_DIR", str(tmp_path / "mine"))
    assert paths.state_dir() == tmp_path / "mine"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    assert paths.run_dir() == tmp_path / "run/sage"
    monkeypatch.setenv("SAGE_RUN_DIR", str(tmp_path / "r"))
    assert paths.run_dir() == tmp_path / "r"


def test_a_directory_is_made_closed_to_others(tmp_path: Path) -> None:
    made = paths.private_directory(tmp_path / "a" / "b")
    assert made.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701, 0o770])
def test_a_directory_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(mode)
    with pytest.raises(NotPermitted, match=r"is open to others \(mode 0\d+\) \(chmod 700 "):
        paths.private_directory(tmp_path / "open")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_somebody_else_is_refused_also_through_a_link(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, 12345, 12345)
    (tmp_path / "link").symlink_to(theirs)
    for path in (theirs, tmp_path / "link"):
        with pytest.raises(NotPermitted, match="belongs to user 12345"):
            paths.private_directory(path)


def test_a_file_in_the_place_of_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot make this directory"):
        paths.private_directory(tmp_path / "file")


def test_a_socket_path_longer_than_the_kernel_takes_is_refused() -> None:
    assert len(os.fsencode(paths.socket_path(Path("/" + "x" * 98), "socket7"))) == 107
    with pytest.raises(ConfigError, match=r"is 108 bytes long.*shorter directory in SAGE_RUN_DIR"):
        paths.socket_path(Path("/" + "x" * 98), "socket88")


def test_files_that_ship_are_found_and_others_are_not() -> None:
    assert paths.shipped("launch/local.yaml").is_file()
    with pytest.raises(ConfigError, match=r"this install lacks launch/none\.yaml"):
        paths.shipped("launch/none.yaml")


def test_writing_replaces_the_whole_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "file"
    paths.write_atomically(path, b"old")
    paths.write_atomically(path, b"new", mode=0o644)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_and_nothing_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    paths.write_atomically(path, b"old")

    def broken(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("runtime.paths.os.fsync", broken)
    with pytest.raises(OSError, match="No space left"):
        paths.write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_made_once_stays_as_the_first_made_it(tmp_path: Path) -> None:
    file = tmp_path / "key"
    paths.make_once(file, b"first")
    paths.make_once(file, b"second")
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"first", 0o600)
    assert list(tmp_path.iterdir()) == [file]
