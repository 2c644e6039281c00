"""`sage doctor`: whether this machine has what is needed, and what to do where it has not."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import msgspec

from runtime import console

_MINIMUM_PYTHON = (3, 11)
_MINIMUM_DISK = 1 << 30


class Symptom(msgspec.Struct, frozen=True):
    """One thing that was looked at. `missing` keeps a part from working, `wrong` keeps everything from it."""

    state: str
    """`well`, `missing` or `wrong`."""
    what: str
    found: str
    remedy: str = ""


@click.command()
@console.common(timeout=20)
def doctor(as_json: bool, timeout: float) -> None:
    """Look at the machine: Python, packages, speech, directories, keys, disk. Says what to do where something lacks.

    Exit code 1 if something is wrong that keeps the system from starting; what is merely missing is no failure.
    """
    symptoms = [symptom for look in _LOOKS for symptom in look()]
    for symptom in symptoms:
        if as_json:
            console.show_json(symptom)
        else:
            _show(symptom)
    sys.exit(console.FAILED if any(one.state == "wrong" for one in symptoms) else 0)


def _show(symptom: Symptom) -> None:
    colour = {"well": "green", "missing": "yellow", "wrong": "red"}[symptom.state]
    click.echo(f"{click.style(symptom.state.ljust(7), fg=colour)} {symptom.what}: {symptom.found}")
    if symptom.remedy:
        click.echo(f"        → {symptom.remedy}")


def _python() -> Iterator[Symptom]:
    found = ".".join(map(str, sys.version_info[:3]))
    right = sys.version_info[:2] >= _MINIMUM_PYTHON
    yield Symptom("well" if right else "wrong", "Python", found, "" if right else "install Python 3.11 or newer")


def _packages() -> Iterator[Symptom]:
    for package, purpose, remedy in (
        ("torch", "language models", 'pip install "sage-runtime[models]"'),
        ("transformers", "language models", 'pip install "sage-runtime[models]"'),
        ("onnxruntime", "hearing when somebody speaks", 'pip install "sage-runtime[voice]"'),
        ("pocketsphinx", "hearing what is said", 'pip install "sage-runtime[voice]"'),
        ("silero_vad", "hearing when somebody speaks", "pip install --no-deps silero-vad"),
    ):
        if importlib.util.find_spec(package) is None:
            yield Symptom("missing", package, f"not installed: no {purpose}", remedy)
        else:
            yield Symptom("well", package, "installed")


def _programs() -> Iterator[Symptom]:
    path = shutil.which("espeak-ng")
    if path is None:
        yield Symptom("missing", "espeak-ng", "not installed: no speech, text works", "apt-get install espeak-ng")
    else:
        yield Symptom("well", "espeak-ng", path)


def _directories() -> Iterator[Symptom]:
    from protocol.errors import SageError
    from runtime import paths

    places: tuple[tuple[str, Callable[[], Path]], ...] = (("run directory", paths.run_dir), ("state", paths.state_dir))
    for what, place in places:
        try:
            path = place()
        except SageError as error:
            yield Symptom("wrong", what, str(error), error.remedy)
            continue
        free = shutil.disk_usage(path).free
        state, remedy = ("well", "") if free >= _MINIMUM_DISK else ("missing", "free some space: stores grow here")
        yield Symptom(state, what, f"{path}, {console.size(free)} free", remedy)


def _identity() -> Iterator[Symptom]:
    from protocol.errors import SageError
    from runtime import paths
    from runtime.identity import HostIdentity

    try:
        yield Symptom("well", "identity", HostIdentity.load(paths.state_dir()).lct.id)
    except (SageError, OSError) as error:
        yield Symptom("wrong", "identity", str(error), getattr(error, "remedy", ""))


def _kernel() -> Iterator[Symptom]:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (OSError, AttributeError):
        yield Symptom(
            "missing",
            "pidfd",
            "the kernel does not tell of processes that end",
            "Linux 5.3 or newer; until then a dead node shows only by its missing heartbeat",
        )
    else:
        yield Symptom("well", "pidfd", "the kernel tells at once when a process ends")


def _running() -> Iterator[Symptom]:
    from protocol.errors import SageError
    from runtime import paths
    from runtime.lock import holder

    try:
        held = holder(paths.run_dir() / "hub.lock")
    except SageError:
        return
    yield Symptom("well", "runtime", f"the hub runs as process {held.pid}" if held else "not running (`sage up`)")


_LOOKS = (_python, _packages, _programs, _kernel, _directories, _identity, _running)
