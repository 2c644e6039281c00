"""What every `sage bench X` and `sage experiment X` shares: options, progress, raw rows, report, exit status."""

from __future__ import annotations

import functools
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Concatenate, ParamSpec, Self, TextIO

import click
import msgspec

from protocol.errors import DeadlineExceeded, SageError
from runtime.bench.record import Goal, Record, environment, report
from runtime.paths import write_atomically
from runtime.units import parse_duration

P = ParamSpec("P")

EXIT_FAILED = 1
EXIT_TIMEOUT = 124
EXIT_INTERRUPTED = 130

_EPILOG = (
    "Exit status: 0 it ran, whether or not its goals were met; 1 it could not run; 2 wrong usage; "
    "124 --timeout passed; 130 interrupted."
)
_PROGRESS_INTERVAL_S = 0.5


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a benchmark or experiment found."""

    figures: dict[str, Any]
    goals: list[Goal]
    text: str = ""
    """Markdown for the report: what was done and what it means."""
    packages: tuple[str, ...] = ()
    """Packages whose versions belong in the record."""
    environment: dict[str, Any] = {}
    """What else a figure depends on, such as the version of the weights."""


class Progress:
    """How far long work is: a line on a terminal, a row now and then with `--json`, nothing elsewhere."""

    def __init__(self, total: float, *, out: TextIO, rows: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._total = total
        self._done = 0.0
        self._out = out
        self._rows = rows
        self._clock = clock
        self._began = clock()
        self._shown = self._began - _PROGRESS_INTERVAL_S

    def advance(self, steps: float, what: str) -> None:
        """`steps` more are done; `what` comes next."""
        self._done += steps
        now = self._clock()
        if now - self._shown < _PROGRESS_INTERVAL_S and self._done < self._total:
            return
        self._shown = now
        state = self.state(now)
        if self._rows:
            _write_row(self._out, {"progress": {"what": what, **state}})
        elif self._out.isatty():
            line = f"{state['percent']:5.1f}%  {state['per_s']:.1f}/s  {state['left_s']:.0f} s left  {what}"
            self._out.write(f"\r\x1b[2K{line[:110]}")
            self._out.flush()

    def state(self, now: float) -> dict[str, float]:
        """Percent done, steps per second, seconds left at that rate."""
        elapsed = max(now - self._began, 1e-9)
        rate = self._done / elapsed
        left = (self._total - self._done) / rate if rate else 0.0
        return {
            "percent": round(100 * self._done / self._total, 1) if self._total else 100.0,
            "per_s": round(rate, 3),
            "left_s": round(max(left, 0.0), 1),
        }

    def end(self) -> None:
        if not self._rows and self._out.isatty():
            self._out.write("\r\x1b[2K")
            self._out.flush()


class Session:
    """One run of a benchmark or experiment."""

    def __init__(self, name: str, *, quick: bool, seed: int, out: Path | None, as_json: bool) -> None:
        self.name = name
        self.quick = quick
        self.seed = seed
        self.out = out
        self.as_json = as_json
        self._environment = environment(quick=quick, seed=seed)
        self._rows: list[bytes] = []
        self._progress: Progress | None = None

    def progress(self, total: float) -> Progress:
        """Begin to show progress over `total` steps."""
        self._end_progress()
        self._progress = Progress(total, out=sys.stdout if self.as_json else sys.stderr, rows=self.as_json)
        return self._progress

    def raw(self, **row: Any) -> None:
        """Keep one raw measurement for raw.jsonl."""
        if self.out is not None:
            self._rows.append(msgspec.json.encode(row))

    def file(self, name: str, data: bytes) -> None:
        """Put another file, such as a plot, beside the report."""
        if self.out is not None:
            self.out.mkdir(parents=True, exist_ok=True)
            write_atomically(self.out / name, data, mode=0o644)

    def finish(self, outcome: Outcome) -> Record:
        """Show the outcome, write the report, and with `--json` end in the record."""
        self._end_progress()
        where = environment(quick=self.quick, seed=self.seed, packages=outcome.packages)
        where["load_before"] = self._environment["load_before"]
        where |= outcome.environment
        record = Record(name=self.name, environment=where, figures=outcome.figures, goals=outcome.goals)
        self.file("report.md", report(record, text=outcome.text).encode())
        self.file("record.json", msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
        self.file("raw.jsonl", b"".join(row + b"\n" for row in self._rows))
        if self.as_json:
            _write_row(sys.stdout, record)
        else:
            print(report(record, text=outcome.text, brief=True))
        return record

    def _end_progress(self) -> None:
        if self._progress is not None:
            self._progress.end()
            self._progress = None


def measured(name: str) -> Callable[[Callable[Concatenate[Session, P], Outcome]], Callable[..., None]]:
    """Make a function that measures into the body of a click command with the options that all of them share.

    The function gets the `Session` first, then its own options by name, and returns its `Outcome`. To be used below
    `@click.command(...)` and above the function's own `@click.option`s.
    """

    def wrap(measure: Callable[Concatenate[Session, P], Outcome]) -> Callable[..., None]:
        @functools.wraps(measure)
        def run(*, quick: bool, seed: int, out: Path | None, as_json: bool, timeout: float, **own: Any) -> None:
            session = Session(name, quick=quick, seed=seed, out=out, as_json=as_json)
            with _Bounded(timeout) as bounded:
                try:
                    session.finish(measure(session, **own))  # type: ignore[call-arg]
                except SageError as error:
                    _leave(session, str(error), EXIT_FAILED)
                except KeyboardInterrupt:
                    if not bounded.overran:
                        _leave(session, "interrupted", EXIT_INTERRUPTED)
                    late = DeadlineExceeded(f"it took longer than {timeout:g} s", remedy="allow more by --timeout")
                    _leave(session, f"{name}: {late}", EXIT_TIMEOUT)

        return _with_options(run)

    return wrap


def _with_options(run: Callable[..., None]) -> Callable[..., None]:
    options = (
        click.option("--quick", is_flag=True, help="Smaller samples, under a minute."),
        click.option("--seed", type=int, default=0, show_default=True, help="Draws whatever is drawn."),
        click.option(
            "--out", type=click.Path(file_okay=False, path_type=Path), help="Directory for report.md and raw.jsonl."
        ),
        click.option("--json", "as_json", is_flag=True, help="JSON Lines on stdout: progress, last the record."),
        click.option(
            "--timeout",
            metavar="DURATION",
            default="30m",
            show_default=True,
            callback=_seconds,
            help="Give up after this long.",
        ),
    )
    for option in reversed(options):
        run = option(run)
    run.__doc__ = f"{run.__doc__ or ''}\n\n    {_EPILOG}"
    return run


def _seconds(ctx: click.Context, param: click.Parameter, value: str) -> float:
    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r}: {error}") from error


class _Bounded:
    """Interrupts the process as Ctrl-C would once the time is up: what runs under asyncio then ends in order too."""

    def __init__(self, seconds: float) -> None:
        self.overran = False
        self._seconds = seconds

    def __enter__(self) -> Self:
        self._interrupt = signal.getsignal(signal.SIGINT)
        if self._interrupt is signal.SIG_IGN:  # as a shell starts what runs in its background
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self._before = signal.signal(signal.SIGALRM, self._time_is_up)
        signal.setitimer(signal.ITIMER_REAL, self._seconds)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)
        if self._interrupt is signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _time_is_up(self, number: int, frame: FrameType | None) -> None:
        self.overran = True
        signal.raise_signal(signal.SIGINT)


def _leave(session: Session, message: str, status: int) -> None:
    session._end_progress()
    click.echo(message, err=True)
    raise SystemExit(status)


def _write_row(out: TextIO, row: Any) -> None:
    out.write(msgspec.json.encode(row).decode() + "\n")
    out.flush()
