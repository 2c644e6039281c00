"""`sage trust export`, `import` and, of a file, `verify`: a ledger as a file that proves itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from protocol.errors import AlreadyRunning, ConfigError, DeadlineExceeded, SageError
from runtime import console

if TYPE_CHECKING:
    from nodes.trust_ledger.ledger import Ledger
    from protocol.messages.trust import Verified

LINE_LIMIT = 4 << 20
"""Bytes; an entry is about a thousand."""
FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("file", type=FILE)
@console.common(timeout=None)
def export(file: Path, as_json: bool, timeout: float | None) -> None:
    """Write the ledger to FILE as JSON Lines, with what the entries say in the open: it is made for its owner alone.

    The system may be running. Whoever has the file can prove every entry by this host's public key.
    """
    from runtime.clock import Clock

    with _ledger(make=False) as ledger, _new(file) as out:
        lines = size = 0
        for line in _in_time(ledger.export(Clock().wall_ns()), timeout):
            out.write(line)
            lines, size = lines + 1, size + len(line)
    entries = lines - 2
    if as_json:
        console.show_json({"file": str(file), "entries": entries, "bytes": size})
    else:
        click.echo(f"{entries} entries are in {file}, {console.size(size)}")


@click.command("import")
@click.argument("file", type=FILE)
@console.common(timeout=None)
def import_(file: Path, as_json: bool, timeout: float | None) -> None:
    """Take in a ledger from FILE, proving every entry; all of it or nothing.

    This host's own ledger, into an empty one: it is that ledger again. Another host's: it is kept beside this one under
    its own signatures, and moves no trust here. The system must not be running.
    """
    from runtime.clock import Clock
    from runtime.lock import holder
    from runtime.paths import run_dir

    if holder(run_dir() / "hub.lock") is not None:
        raise AlreadyRunning("the ledger is in use", place=str(run_dir()), remedy="stop the system with `sage down`")
    with _ledger(make=True) as ledger, _read(file) as lines:
        try:
            taken = ledger.take_in(_in_time(lines, timeout), Clock().wall_ns())
        except SageError as error:
            error.place = error.place or str(file)
            raise
    if as_json:
        console.show_json(taken)
    else:
        click.echo(f"{taken.entries} entries of {taken.origin} are taken in")


def proved(file: Path, head: str, timeout: float | None) -> tuple[str, Verified]:
    """LCT id of the origin of an exported ledger, and whether it is as it was written; nothing is taken in."""
    from nodes.trust_ledger import noted
    from nodes.trust_ledger.proof import prove
    from protocol.messages.trust import Verified
    from runtime.identity import verify

    try:
        found = prove(_again(file, timeout), verify, noted.parse(head) if head else None)
    except SageError as error:
        error.place = error.place or str(file)
        raise
    problems = [finding.message for finding in found.findings]
    end = noted.shown(found.head.number, found.head.link)
    return found.origin, Verified(
        ok=not problems, entries=found.entries, problems=problems, head=end, rebuilt=found.rebuilt
    )


def _again(file: Path, timeout: float | None) -> Callable[[], Iterator[bytes]]:
    """The lines of `file` from its beginning, each time; all readings together within `timeout`."""
    end = time.monotonic() + timeout if timeout is not None else None

    def lines() -> Iterator[bytes]:
        left = None if end is None else max(0.0, end - time.monotonic())
        with _read(file) as read:
            yield from _in_time(read, left)

    return lines


def _in_time(lines: Iterator[bytes], timeout: float | None) -> Iterator[bytes]:
    """The lines, as long as they come within `timeout` seconds; then `DeadlineExceeded`."""
    end = time.monotonic() + timeout if timeout is not None else float("inf")
    for line in lines:
        if time.monotonic() > end:
            raise DeadlineExceeded(f"not done within {timeout:g} s", remedy="give it longer with --timeout")
        yield line


@contextmanager
def _ledger(*, make: bool) -> Iterator[Ledger]:
    from nodes.trust_ledger.ledger import LEDGER_FILE, Ledger
    from runtime.identity import HostIdentity
    from runtime.paths import state_dir
    from runtime.sealing import Sealer

    directory = state_dir()
    path = directory / LEDGER_FILE
    if not make and not path.exists():
        raise ConfigError("there is no ledger", place=str(path), remedy="name its state directory in SAGE_STATE_DIR")
    with closing(Ledger(path, HostIdentity.load(directory), Sealer.load(directory, "trust"))) as ledger:
        yield ledger


@contextmanager
def _new(file: Path) -> Iterator[BinaryIO]:
    """A file of that name that is there whole, or not at all."""
    if file.exists():
        raise ConfigError("is there already", place=str(file), remedy="name another file, or move it away")
    with console.written_beside(file) as out:
        yield out


@contextmanager
def _read(file: Path) -> Iterator[Iterator[bytes]]:
    try:
        with file.open("rb") as opened:
            yield iter(lambda: opened.readline(LINE_LIMIT), b"")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", place=str(file)) from error
