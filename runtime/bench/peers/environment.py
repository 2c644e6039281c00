"""An environment of their own for the peers, so that this project depends on none of them."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import venv
from pathlib import Path

import msgspec

from protocol.errors import SageError
from runtime.bench.children import own_session
from runtime.paths import private_directory, write_atomically

REQUIREMENTS = ("dora-rs>=1.1,<2", "dora-rs-cli>=1.1,<2", "eclipse-zenoh>=1.10,<2", "msgspec>=0.20,<0.23")

_SHOWN_BYTES = 600


class PeersAbsent(SageError):
    """The peers cannot be measured here, and why."""

    code = "bench.peers_absent"


class PeerEnvironment(msgspec.Struct, frozen=True, kw_only=True):
    """A finished environment: its programs and what is installed in it."""

    directory: str
    versions: dict[str, str]

    def program(self, name: str) -> str:
        return f"{self.directory}/bin/{name}"


def location() -> Path:
    """Where the environment lies: one per Python version and set of requirements."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    wanted = "\n".join((sys.version, *REQUIREMENTS))
    return cache / "sage" / f"bench-peers-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"


def find() -> PeerEnvironment:
    """The environment made earlier. Raises `PeersAbsent` where there is none."""
    try:
        return msgspec.json.decode((location() / "complete.json").read_bytes(), type=PeerEnvironment)
    except (OSError, msgspec.DecodeError) as error:
        raise PeersAbsent("dora-rs and eclipse-zenoh are not installed", remedy="run with --peers") from error


async def make() -> PeerEnvironment:
    """The environment, made now by the ordinary pip where it is missing. Raises `PeersAbsent` with pip's reason."""
    try:
        return find()
    except PeersAbsent:
        directory = location()
    private_directory(directory)
    try:
        venv.create(directory, clear=True, with_pip=True)
    except (OSError, SystemExit) as error:
        raise PeersAbsent(f"no environment could be made: {error}", place=str(directory)) from error
    python = str(directory / "bin" / "python")
    await _run(python, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", *REQUIREMENTS)
    listed = await _run(python, "-m", "pip", "list", "--disable-pip-version-check", "--format=json")
    names = {requirement.split(">", 1)[0] for requirement in REQUIREMENTS}
    versions = {row["name"]: row["version"] for row in msgspec.json.decode(listed) if row["name"] in names}
    made = PeerEnvironment(directory=str(directory), versions=versions)
    write_atomically(directory / "complete.json", msgspec.json.encode(made))
    return made


async def _run(*command: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, preexec_fn=own_session
    )
    try:
        out, error = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        shown = error[-_SHOWN_BYTES:].decode(errors="replace").strip()
        raise PeersAbsent(f"{' '.join(command[1:4])} failed: {shown}", place=command[0])
    return out
