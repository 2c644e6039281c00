"""The guard: the process that a user starts. It forks the supervisor, shows what it has to say, and outlives it.

Two processes hold each other: when the supervisor dies, however it dies, every process it started becomes the guard's
child and is killed; when the guard dies, the supervisor is told and stops everything in order. So one `kill -9`, of
whichever of them, leaves no orphan. The guard reads the terminal's signals and passes each on once.
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from types import FrameType

from runtime.supervisor.system import adopt_orphans, die_with_parent, kill_descendants

EXIT_KILLED = 130
EXIT_SOFTWARE = 70
"""EX_SOFTWARE: a fault of ours, with a traceback."""

PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
CHUNK = 64 * 1024


def guarded(serve: Callable[[int], int], output: int, theirs: tuple[int, ...] = ()) -> int:
    """Run `serve(console)` in a process of its own and return its exit code once nothing of it is left.

    What it writes to the descriptor `console` appears on `output`. Descriptors `theirs` are for it alone: whoever reads
    their other end learns of its death.
    """
    adopt_orphans()
    shown, console = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    guard = os.getpid()
    supervisor = os.fork()
    if supervisor == 0:
        os.close(shown)
        _become_supervisor(serve, console, guard)
    for descriptor in (console, *theirs):
        os.close(descriptor)
    _watch(supervisor)
    _relay(shown, output)
    status = _end_of(supervisor)
    kill_descendants()
    return status


def _become_supervisor(serve: Callable[[int], int], console: int, guard: int) -> None:
    """In the forked process; does not return."""
    code = EXIT_SOFTWARE
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # until the loop takes it, it ends us without a traceback
        die_with_parent(guard, signal.SIGTERM)
        os.setsid()  # a terminal's Ctrl-C reaches the guard alone, which passes it on
        code = serve(console)
    except BaseException:  # the end of this process: whatever it was must be seen
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _watch(supervisor: int) -> None:
    """Pass signals on, and clean up at once when the supervisor ends, even while a stopped terminal holds us up."""

    def pass_on(number: int, _frame: FrameType | None) -> None:
        try:
            os.kill(supervisor, number)
        except ProcessLookupError:
            return  # it has ended and been reaped; so do we, presently

    def clean_up(_number: int, _frame: FrameType | None) -> None:
        if os.waitid(os.P_PID, supervisor, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # each death that follows would call us again, inside here
            kill_descendants(keep=supervisor)

    for number in PASSED_ON:
        signal.signal(number, pass_on)
    signal.signal(signal.SIGCHLD, clean_up)


def _relay(source: int, output: int) -> None:
    """Copy until the supervisor, which alone holds the other end, has ended. What nobody wants to read is dropped."""
    wanted = True
    while data := os.read(source, CHUNK):
        try:
            while wanted and data:
                data = data[os.write(output, data) :]
        except OSError:
            wanted = False
    os.close(source)


def _end_of(supervisor: int) -> int:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, status = os.waitpid(supervisor, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else EXIT_KILLED
