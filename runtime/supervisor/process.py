"""Starting and signalling one process: its own session and group, tied to our life, with its limits and two pipes."""

import os
import resource
import signal
import subprocess
from collections.abc import Mapping
from functools import partial

from msgspec import Struct

from runtime.launch.plan import Process
from runtime.launch.spec import RESERVED
from runtime.supervisor.child import Action
from runtime.supervisor.system import die_with_parent, signal_group

SIGNALS: dict[Action, signal.Signals] = {
    "terminate": signal.SIGTERM,
    "abort": signal.SIGABRT,
    "kill": signal.SIGKILL,
}


class Running(Struct, frozen=True):
    """A process that was started and not yet reaped. Its id is also that of its group and session."""

    pid: int
    popen: "subprocess.Popen[bytes]"
    stdout: int
    stderr: int
    warnings: list[str]
    """limits that could not be set"""

    def signal(self, action: Action) -> None:
        signal_group(self.pid, SIGNALS[action])

    def reaped(self, status: int) -> None:
        """Tell the Popen that somebody else has waited for it."""
        self.popen.returncode = status


def spawn(process: Process, inherited: Mapping[str, str]) -> Running:
    """Start it. OSError if the program cannot be run."""
    (stdout, out), (stderr, err) = os.pipe(), os.pipe()
    try:
        popen = subprocess.Popen(
            process.argv,
            env={**inherited, **process.environment},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
            # Between fork and exec only this; the supervisor has one thread, so no lock can be held by another.
            preexec_fn=partial(die_with_parent, os.getpid(), signal.SIGKILL),  # noqa: PLW1509
        )
    except BaseException:
        os.close(stdout)
        os.close(stderr)
        raise
    finally:
        os.close(out)
        os.close(err)
    os.set_blocking(stdout, False)
    os.set_blocking(stderr, False)
    return Running(popen.pid, popen, stdout, stderr, _limit(process, popen.pid))


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """The supervisor's own environment without what was meant for it alone."""
    return {name: text for name, text in environment.items() if name not in RESERVED}


def _limit(process: Process, pid: int) -> list[str]:
    """Set limits from outside, where a refusal can be told; returns the refusals."""
    refusals: list[str] = []
    try:
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
        if process.memory is not None:
            resource.prlimit(pid, resource.RLIMIT_DATA, (process.memory, process.memory))
        if process.nice:
            os.setpriority(os.PRIO_PROCESS, pid, process.nice)
    except ProcessLookupError:
        pass  # it has already ended
    except (PermissionError, ValueError) as error:
        refusals.append(f"memory {process.memory} or nice {process.nice} cannot be set: {error}")
    return refusals
