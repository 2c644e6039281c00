"""Where things lie: the run directory (sockets, locks), the state directory (what must survive), and files that ship.

Both directories are private to one user. One that somebody else owns, or that others may enter, is refused rather than
repaired: whoever could enter it could already have put a socket there.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from protocol.errors import ConfigError, NotPermitted

SOCKET_PATH_LIMIT = 107
"""Bytes in a unix socket's path: sun_path holds 108 and ends in NUL."""


def run_dir() -> Path:
    """The private directory of sockets and locks: $SAGE_RUN_DIR, else $XDG_RUNTIME_DIR/sage, else /tmp/sage-UID."""
    if chosen := os.environ.get("SAGE_RUN_DIR"):
        return private_directory(Path(chosen))
    if session := os.environ.get("XDG_RUNTIME_DIR"):
        return private_directory(Path(session) / "sage")
    return private_directory(Path(f"/tmp/sage-{os.getuid()}"))  # noqa: S108 - ownership and mode are checked


def state_dir() -> Path:
    """The private directory of what survives: $SAGE_STATE_DIR, else $XDG_STATE_HOME/sage, else ~/.local/state/sage."""
    if chosen := os.environ.get("SAGE_STATE_DIR"):
        return private_directory(Path(chosen))
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return private_directory(Path(base) / "sage")


def cache_dir(name: str) -> Path:
    """The private directory of what can be computed again: $XDG_CACHE_HOME/sage/NAME, else ~/.cache/sage/NAME."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return private_directory(Path(base) / "sage" / name)


def shared_memory_dir() -> Path:
    """The private directory of what processes share in memory: $SAGE_SHM_DIR, else /dev/shm/sage-UID.

    NotPermitted or ConfigError where there is no such place.
    """
    chosen = os.environ.get("SAGE_SHM_DIR") or f"/dev/shm/sage-{os.getuid()}"  # noqa: S108 - ownership and mode are checked
    return private_directory(Path(chosen))


def shipped(relative: str) -> Path:
    """A file that ships with the install, such as `configs/levels.yaml`. ConfigError if this install lacks it."""
    path = Path(__file__).resolve().parent.parent / relative
    if not path.exists():
        raise ConfigError(f"this install lacks {relative}", place=str(path), remedy="install sage-runtime again")
    return path


def located(path: Path | str) -> Path:
    """`path` where it exists, else the file of that name that ships. ConfigError where neither does."""
    given = Path(path).expanduser()
    if given.exists():
        return given
    ships = Path(__file__).resolve().parent.parent / given
    if given.is_absolute() or not ships.exists():
        raise ConfigError("there is no such file, here or among those that ship", place=str(path))
    return ships


def private_directory(path: Path) -> Path:
    """`path`, absolute, made with mode 0700 if missing. NotPermitted unless it is ours and closed to others."""
    path = path.expanduser().absolute()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        link, target = path.lstat(), path.stat()
    except OSError as error:
        raise ConfigError(
            f"cannot make this directory: {error.strerror}",
            place=str(path),
            remedy="name another one in SAGE_RUN_DIR or SAGE_STATE_DIR",
        ) from error
    if not stat.S_ISDIR(target.st_mode):
        raise ConfigError("is not a directory", place=str(path), remedy="move it away")
    if {link.st_uid, target.st_uid} != {os.getuid()}:
        owner = next(uid for uid in (link.st_uid, target.st_uid) if uid != os.getuid())
        raise NotPermitted(
            f"belongs to user {owner}, not to us ({os.getuid()})",
            place=str(path),
            remedy="name a directory of your own in SAGE_RUN_DIR or SAGE_STATE_DIR",
        )
    if stat.S_IMODE(target.st_mode) & 0o077:
        raise NotPermitted(
            f"is open to others (mode {stat.S_IMODE(target.st_mode):04o})",
            place=str(path),
            remedy=f"chmod 700 {path}",
        )
    return path


def socket_path(directory: Path, name: str) -> Path:
    """The path of unix socket `name` in `directory`. ConfigError if it exceeds what the kernel takes (107 bytes)."""
    path = directory / name
    length = len(os.fsencode(path))
    if length > SOCKET_PATH_LIMIT:
        raise ConfigError(
            f"is {length} bytes long, a socket's path may have {SOCKET_PATH_LIMIT}",
            place=str(path),
            remedy="name a shorter directory in SAGE_RUN_DIR",
        )
    return path


def write_atomically(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Replace `path` by `data`: a reader, or a crash at any moment, sees the old bytes or the new, never a mixture."""
    with _beside(path, data, mode) as beside:
        beside.replace(path)
    sync_directory(path.parent)


def make_once(path: Path, data: bytes) -> None:
    """Write a new file for its owner alone, durably; where another process was first, its file stays.

    The link either makes the name or finds it taken.
    """
    with _beside(path, data, 0o600) as beside, suppress(FileExistsError):
        os.link(beside, path)
        sync_directory(path.parent)


@contextmanager
def _beside(path: Path, data: bytes, mode: int) -> Iterator[Path]:
    """A file with `data` beside `path`, on the disk; removed afterwards unless it was moved."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield beside
    finally:
        beside.unlink(missing_ok=True)


def sync_directory(path: Path) -> None:
    """Make a name that was made or changed inside `path` durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
