"""What every command of `sage` has in common: options, output for people and for programs, exit codes.

| exit | meaning |
|---|---|
| 0 | done |
| 1 | it was tried and failed |
| 2 | the command line or a configuration is wrong |
| 3 | no runtime is running here; for `sage up`: one is running already |
| 4 | the time given with `--timeout` passed |
| 130 | interrupted |
"""

from __future__ import annotations

import functools
import json
import math
import os
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, TypeVar

import click

from protocol.errors import AlreadyRunning, ConfigError, DeadlineExceeded, HubLost, SageError

FAILED, WRONG, NOT_RUNNING, TIMED_OUT, INTERRUPTED = 1, 2, 3, 4, 130

F = TypeVar("F", bound=Callable[..., Any])


class Seconds(click.FloatRange):
    """A time to wait: more than nothing, and no more than a clock counts. `nan` would pass for a number in a range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        seconds = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value} is no time.", param, ctx)
        return seconds


SECONDS = Seconds(min=0, min_open=True, max=1e8)

COLOURS = {
    "ready": "green",
    "WAKE": "green",
    "FOCUS": "cyan",
    "starting": "yellow",
    "degraded": "yellow",
    "REST": "blue",
    "DREAM": "magenta",
    "stopping": "yellow",
    "stopped": "bright_black",
    "failed": "red",
    "CRISIS": "red",
}


def common(timeout: float | None) -> Callable[[F], F]:
    """Adds `--json` and `--timeout SECONDS` (None: without a bound unless asked for) and maps errors to exit codes."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except SageError as error:
                fail(error)
            except KeyboardInterrupt:
                sys.exit(INTERRUPTED)
            except BrokenPipeError:
                # The reader of our output has seen enough.
                sys.stderr.close()
                sys.exit(0)

        shown = "no bound" if timeout is None else f"{timeout:g}"
        guarded = click.option("--timeout", type=SECONDS, default=timeout, help=f"Seconds. [{shown}]")(guarded)
        return click.option("--json", "as_json", is_flag=True, help="JSON Lines on stdout.")(guarded)  # type: ignore[return-value]

    return decorate


def fail(error: SageError) -> NoReturn:
    """Say on stderr what went wrong, where and what to do; leave with the exit code of its kind."""
    click.echo(f"{click.style('sage:', fg='red')} {error}", err=True)
    sys.exit(exit_code(error))


def exit_code(error: SageError) -> int:
    match error:
        case ConfigError():
            return WRONG
        case HubLost() | AlreadyRunning():
            return NOT_RUNNING
        case DeadlineExceeded():
            return TIMED_OUT
        case _:
            return FAILED


def run(work: Coroutine[Any, Any, Any], timeout: float | None = None) -> Any:
    """Run `work` to its end, or raise `DeadlineExceeded` after `timeout` seconds."""
    import asyncio

    async def bounded() -> Any:
        try:
            async with asyncio.timeout(timeout):
                return await work
        except TimeoutError as error:
            raise DeadlineExceeded(f"not done within {timeout:g} s", remedy="give it longer with --timeout") from error

    return asyncio.run(bounded())


def show_json(value: Any) -> None:
    """One record as one line of JSON; bytes become hexadecimal digits."""
    click.echo(json.dumps(plain(value), ensure_ascii=False))


def plain(value: Any) -> Any:
    """Message types as what JSON knows."""
    import msgspec

    match value:
        case bytes():
            return value.hex()
        case msgspec.Struct():
            return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            return value


def duration(text: str, option: str) -> float:
    """Seconds of an option such as `10m`; a usage error that says what was expected."""
    from runtime.units import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r}: {error}", param_hint=option) from error


@contextmanager
def written_beside(file: Path) -> Iterator[BinaryIO]:
    """A new file of this name once all is written, for its owner alone. ConfigError where it cannot be written."""
    from runtime.paths import sync_directory

    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        beside.replace(file)
        sync_directory(file.absolute().parent)
    except OSError as error:
        raise ConfigError(
            f"cannot be written: {error.strerror}", place=str(file), remedy="make room or name another file"
        ) from error
    finally:
        beside.unlink(missing_ok=True)


def save_picture(draw: Callable[[], Any], file: Path) -> None:
    """Write the matplotlib figure that `draw` makes as a PNG.

    Raises ConfigError where matplotlib is not installed, or the file cannot be written.
    """
    try:
        figure = draw()
    except ImportError as error:
        remedy = "pip install 'sage-runtime[plots]'"
        raise ConfigError("plots need matplotlib", place=str(file), remedy=remedy) from error
    with written_beside(file) as out:
        figure.savefig(out, format="png", dpi=110)


def table(rows: Iterable[Sequence[object]], *, header: Sequence[str]) -> str:
    """Columns aligned by their widest cell. A cell that is a known state is coloured."""
    cells = [list(header), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = []
    for number, row in enumerate(cells):
        line = "  ".join(_cell(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip()
        lines.append(click.style(line, bold=True) if number == 0 else line)
    return "\n".join(lines)


def _cell(cell: str, width: int) -> str:
    padded = cell.ljust(width)
    return click.style(padded, fg=COLOURS[cell]) if cell in COLOURS else padded


def size(count: float) -> str:
    """Bytes as people read them: `34.2 MiB`."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def age(seconds: float) -> str:
    """A duration in its largest fitting unit: `0.4s`, `12s`, `5m`, `3h`, `2d`."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    for limit, divisor, unit in ((120, 1, "s"), (7200, 60, "m"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / divisor:.0f}{unit}"
    return f"{seconds / 86_400:.0f}d"
