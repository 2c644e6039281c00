"""Attention state on the disk: immutable chunk files, a small file per conversation, and an index over both. No torch.

    DIR/chunks/ab/ab12….kv     one chunk each, named by its address
    DIR/sessions/….kvs         one conversation each
    DIR/quarantine/            files that could not be used, with the reason in the name of the error that moved them
    DIR/index.sqlite           made again from the files where it is missing or spoiled

Files are written beside, synced, renamed, and then indexed: at any moment a crash leaves whole files only. Whatever
is wrong with a file is a miss with a named reason: it is moved into quarantine, and the tokens are computed again. A
file of a later version of this program is a miss, too, and stays.
"""

import contextlib
import fcntl
import os
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from nodes.model_worker.errors import StateOutOfReach
from nodes.model_worker.kv import chunkfile, manifest
from nodes.model_worker.kv.chunkfile import Content, Keys, Newer, OutOfReach, Private, Public, Unreadable
from nodes.model_worker.kv.exactness import exactness
from nodes.model_worker.kv.hot import Hot
from nodes.model_worker.kv.index import ChunkRow, Index, SessionRow
from nodes.model_worker.kv.manifest import Manifest, Moment, PublicPart
from runtime.clock import Clock
from runtime.paths import private_directory, write_atomically

VAULT = "attention"
"""The vault's directory below the state directory."""
CHUNK, SESSION, INDEX, LOCK = ".kv", ".kvs", "index.sqlite", "lock"
PATIENCE_S = 30.0
"""How long to wait for another process that writes."""
READING_PATIENCE_S = 1.0
"""The same, where somebody waits for an answer."""
_BESIDE = re.compile(r"^\..+\.(\d+)\.[0-9a-f]{8}$")
_ADDRESS = re.compile(r"^[0-9a-f]{40}$")


@dataclass
class VaultCounts:
    written: int = 0
    """Chunks."""
    bytes_written: int = 0
    read: int = 0
    evicted: int = 0
    """Chunks removed for the budget."""
    sessions_evicted: int = 0
    quarantined: int = 0
    rebuilt: int = 0
    """Times the index was made anew."""


class Vault:
    """The attention state of one host. Several processes may have one open on the same directory."""

    def __init__(
        self, directory: Path, keys: Keys, *, budget: int, clock: Clock | None = None, hot: Hot | None = None
    ) -> None:
        """`budget`: bytes on the disk. `hot`: where chunks are shared in memory, too.

        Raises ConfigError or NotPermitted for a directory that will not do, StateOutOfReach where the disk does not.
        """
        self.directory = private_directory(directory)
        self.keys = keys
        self.hot = hot
        self.counts = VaultCounts()
        self.quarantine_reasons: dict[str, str] = {}
        """File name → why it was moved there, since this was opened."""
        self._budget = budget
        self._clock = clock or Clock()
        for name in ("chunks", "sessions", "quarantine"):
            private_directory(self.directory / name)
        self._writing = threading.RLock()
        self._locked = False
        """By the thread that is writing, against other processes."""
        try:
            with self.alone():  # of several processes that start together, one makes the tables
                self._sweep()
                self.index = self._open_index(self.directory / INDEX)
                self._reconcile()
        except (OSError, sqlite3.Error) as error:
            raise StateOutOfReach(
                f"attention state cannot be kept here: {error}",
                place=str(self.directory),
                remedy="make room on the disk or end what holds it, then start again; it is safe to remove",
            ) from error

    @contextlib.contextmanager
    def alone(self, patience_s: float | None = None) -> Iterator[None]:
        """While writing or removing: nobody else of all who have this vault open does.

        So no file vanishes from beneath another that rests on it. May be entered again from within. Raises TimeoutError
        where somebody else holds it for longer than `patience_s`.
        """
        patience_s = PATIENCE_S if patience_s is None else patience_s
        if not self._writing.acquire(timeout=patience_s):
            raise TimeoutError(f"this process has been writing into it for {patience_s:g} s")
        try:
            if self._locked:
                yield
                return
            with self._locked_file(patience_s):
                self._locked = True
                try:
                    yield
                finally:
                    self._locked = False
        finally:
            self._writing.release()

    @contextlib.contextmanager
    def _locked_file(self, patience_s: float) -> Iterator[None]:
        """The lock between processes; the kernel ends it with the process that holds it."""
        descriptor = os.open(self.directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            until = self._clock.mono_ns() + int(patience_s * 1e9)
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if self._clock.mono_ns() > until:
                        raise TimeoutError(f"another process has been writing into it for {patience_s:g} s") from None
                    time.sleep(0.01)
            yield
        finally:
            os.close(descriptor)

    def close(self) -> None:
        self.index.close()
        if self.hot is not None:
            self.hot.close()

    # Chunks

    def write_chunk(self, model: str, content: Content, name: bytes) -> str:
        """The address under which it lies now. `name`: keyed hash of all ids up to its end. Raises OSError."""
        now = self._clock.wall_ns()
        found, data = chunkfile.pack(self.keys, content, now)
        path = self._chunk_path(found)
        level = int(exactness(content.exactness))
        with self.alone():
            if not path.exists():
                path.parent.mkdir(mode=0o700, exist_ok=True)
                write_atomically(path, data)
                self.counts.written += 1
                self.counts.bytes_written += len(data)
            size = path.stat().st_size
            self.index.put_chunk(ChunkRow(found, model, name, content.parent, level, len(content.ids), size, now))
        return found

    def read_chunk(self, address: str, fingerprint: dict[str, str]) -> Content:
        """Raises Unreadable with the reason; a file that is not what it should be is then in quarantine."""
        path = self._chunk_path(address)
        try:
            data = _read(path)
        except OutOfReach:
            self._forget_gone(path)
            raise
        try:
            content = chunkfile.unpack(self.keys, data, address)
        except Unreadable as error:
            self._set_aside(path, error)
            raise
        if difference := differing(content.fingerprint, fingerprint):
            raise Unreadable(f"it belongs to another model: {difference}")
        self.counts.read += 1
        return content

    def used(self, addresses: list[str]) -> None:
        self.index.touch(addresses, self._clock.wall_ns())

    # Conversations

    def person(self, name: str) -> bytes:
        return self.keys.name(b"session", name.encode())

    def write_session(self, fingerprint: dict[str, str], model: str, kept: Manifest) -> None:
        """Replace what was written of this conversation. Raises OSError."""
        path = self._session_path(model, kept.name)
        packed = manifest.pack(self.keys, fingerprint, kept)
        with self.alone():
            before = self.index.session(path.name)
            write_atomically(path, packed)
            row = self._session_row(path, model, kept, self._clock.wall_ns())
            self.index.put_session(row)
            if before is not None and before.end != row.end:
                self._remove_if_loose(before.end)

    def read_session(self, model: str, name: str) -> Manifest | str:
        """What was written of it under this model, or why that cannot be used; "" where nothing was."""
        path = self._session_path(model, name)
        found = self._read_manifest(path)
        if found is None:
            return self.quarantine_reasons.get(path.name, "")
        return found[1] if found[1].name == name else "it is another conversation's"

    def other_models(self, name: str) -> list[dict[str, str]]:
        """The fingerprints under which this conversation was kept, the latest first."""
        found = []
        for row in self.index.sessions_of(self.person(name)):
            with contextlib.suppress(OSError, Unreadable):
                found.append(manifest.read_public((self.directory / "sessions" / row.file).read_bytes())[0].fingerprint)
        return found

    def manifests(self) -> Iterator[tuple[SessionRow, PublicPart, Manifest]]:
        """Every conversation that can be read, the least recently used first."""
        for row in self.index.sessions():
            if found := self._read_manifest(self.directory / "sessions" / row.file):
                yield row, *found

    def remove_session(self, row: SessionRow) -> int:
        """Take out a conversation and the chunks that nobody else needs; how many bytes that gave back."""
        with self.alone():
            row = self.index.session(row.file) or row  # it may have gone on meanwhile
            freed = row.bytes
            (self.directory / "sessions" / row.file).unlink(missing_ok=True)
            self.index.remove_session(row.file)
            address = row.end
            while address and (chunk := self.index.chunk(address)) and self.index.is_loose(address):
                freed += chunk.bytes
                self._remove_chunk(address)
                address = chunk.parent
            return freed

    def mark(self, model: str, moment: Moment) -> Manifest | None:
        """Keep a conversation as it was written last, under the moment's name as well; None where nothing was.

        `model`: as the levels file names it. Raises OSError and sqlite3.Error.
        """
        with self.alone():
            for row in self.index.sessions_of(self.person(moment.session)):
                found = self._read_manifest(self.directory / "sessions" / row.file)
                if found is None or found[1].model != model or not found[1].line:
                    continue
                public, kept = found
                marked = msgspec.structs.replace(kept, name=moment.name, moment=moment, kept_ns=self._clock.wall_ns())
                self.write_session(public.fingerprint, row.model, marked)
                self.evict()
                return marked
        return None

    def checkpoints(self, name: str) -> list[tuple[SessionRow, Manifest]]:
        """Of a conversation, under every model, in the order in which they were made. Reads all that is kept."""
        found = [(row, kept) for row, _, kept in self.manifests() if kept.moment and kept.moment.session == name]
        return sorted(found, key=lambda each: each[1].kept_ns)

    def forget(self, model: str, name: str) -> int:
        """Take out what any version of this model keeps of a conversation, its checkpoints too; the bytes given back.

        Raises OSError, sqlite3.Error, and TimeoutError where somebody else is writing for long.
        """
        with self.alone():
            rows = self.index.sessions_of(self.person(name))
            found = [(row, self._read_manifest(self.directory / "sessions" / row.file)) for row in rows]
            ours = [row for row, kept in found if kept is not None and kept[1].model == model]
            ours += [row for row, kept in self.checkpoints(name) if kept.model == model]
            return sum(self.remove_session(row) for row in ours)

    # The budget

    def evict(self) -> None:
        """Remove what has not been used for longest until all fits the budget: loose chunks, then conversations."""
        with self.alone():
            self._evict()

    def _evict(self) -> None:
        held = self.index.nbytes()
        while held > self._budget:
            loose = self.index.loose()
            if not loose:
                sessions = self.index.sessions()
                if not sessions:
                    return
                held -= self.remove_session(sessions[0])
                self.counts.sessions_evicted += 1
                continue
            for address, size in loose:
                if held <= self._budget:
                    return
                self._remove_chunk(address)
                self.counts.evicted += 1
                held -= size

    def _remove_if_loose(self, address: str) -> None:
        if address and self.index.chunk(address) and self.index.is_loose(address):
            self._remove_chunk(address)

    def _remove_chunk(self, address: str) -> None:
        self.index.remove_chunk(address)
        self._chunk_path(address).unlink(missing_ok=True)

    # The files

    def read_headers(self, path: Path) -> tuple[Public, Private]:
        """Of a chunk's file. Raises Unreadable."""
        return chunkfile.read_private(self.keys, _read(path))

    def check_chunk(self, path: Path) -> None:
        """Read all of a chunk's file. Raises Unreadable; the file is then in quarantine."""
        try:
            data = _read(path)
            chunkfile.read_private(self.keys, data)
            chunkfile.unpack(self.keys, data, path.stem)
        except Unreadable as error:
            self._set_aside(path, error)
            raise

    def provenance(self, address: str) -> tuple[Path, Private]:
        """A chunk's file, and who made it from what. Raises Unreadable."""
        path = self._chunk_path(address)
        return path, self.read_headers(path)[1]

    def chunk_files(self) -> Iterator[Path]:
        for shard in sorted((self.directory / "chunks").iterdir()):
            if shard.is_dir():
                yield from sorted(path for path in shard.iterdir() if path.suffix == CHUNK)

    def _chunk_path(self, address: str) -> Path:
        if not _ADDRESS.match(address):
            raise Unreadable(f"{address!r} is no address")
        return self.directory / "chunks" / address[:2] / f"{address}{CHUNK}"

    def _session_path(self, model: str, name: str) -> Path:
        file = self.keys.name(b"manifest", model.encode(), name.encode()).hex()
        return self.directory / "sessions" / f"{file}{SESSION}"

    def _read_manifest(self, path: Path) -> tuple[PublicPart, Manifest] | None:
        try:
            return manifest.unpack(self.keys, path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            self._set_aside(path, OutOfReach(error))
            return None
        except Unreadable as error:
            self._set_aside(path, error)
            return None

    def _set_aside(self, path: Path, error: Unreadable) -> None:
        """Move a file that cannot be used into quarantine.

        One of a later version stays where it is, and so does one that could not be read now.
        """
        self.quarantine_reasons[path.name] = str(error)
        if isinstance(error, Newer | OutOfReach):
            return
        with contextlib.suppress(OSError):
            path.replace(self.directory / "quarantine" / path.name)
        self.counts.quarantined += 1
        self._forget_gone(path)

    def _forget_gone(self, path: Path) -> None:
        """Take a file out of the index, unless somebody has written it again. If it stays in, it is missed again."""
        with contextlib.suppress(OSError), self.alone(READING_PATIENCE_S):
            if path.exists():
                return
            if path.suffix == CHUNK:
                self.index.remove_chunk(path.stem)
            else:
                self.index.remove_session(path.name)

    def _sweep(self) -> None:
        """Remove what a process that is gone left half written."""
        for place in ("chunks", "sessions"):
            for path in (self.directory / place).rglob(".*"):
                found = _BESIDE.match(path.name)
                if found and not _alive(int(found.group(1))):
                    path.unlink(missing_ok=True)

    # The index

    def _open_index(self, path: Path) -> Index:
        try:
            return Index(path)
        except sqlite3.OperationalError:
            raise  # busy or out of reach, not spoiled
        except sqlite3.DatabaseError:
            for spoiled in self.directory.glob(f"{INDEX}*"):
                spoiled.replace(self.directory / "quarantine" / spoiled.name)
            self.counts.rebuilt += 1
            return Index(path)

    def _reconcile(self) -> None:
        """Have the index say what the files say."""
        rows = {row.address for row in self.index.chunks()}
        files = {path.stem: path for path in self.chunk_files()}
        for address in rows - files.keys():
            self.index.remove_chunk(address)
        if missing := files.keys() - rows:
            self._index_files({address: files[address] for address in missing})
        known = {row.file: row for row in self.index.sessions()}
        present = {path.name: path for path in (self.directory / "sessions").iterdir() if path.suffix == SESSION}
        for file in known.keys() - present.keys():
            self.index.remove_session(file)
        for file, path in present.items():
            if file not in known or (known[file].bytes, known[file].written_ns) != _stamp(path):
                self._index_session(path)

    def _index_files(self, files: dict[str, Path]) -> None:
        headers: dict[str, tuple[Public, Private]] = {}
        for address, path in files.items():
            try:
                headers[address] = self.read_headers(path)
            except Unreadable as error:
                self._set_aside(path, error)
        names = {row.address: row.name for row in self.index.chunks()}
        waiting = dict(headers)
        while ready := [
            address for address, (public, _) in waiting.items() if not public.parent or public.parent in names
        ]:
            for address in ready:
                public, private = waiting.pop(address)
                before = names[public.parent] if public.parent else b""
                names[address] = self.line_name(before, private.ids)
                size = files[address].stat().st_size
                level = int(exactness(public.exactness))
                model = model_word(public.fingerprint)
                self.index.put_chunk(
                    ChunkRow(
                        address, model, names[address], public.parent, level, len(private.ids), size, private.made_ns
                    )
                )
        self._remove_orphans({address: public.parent for address, (public, _) in waiting.items()})

    def _remove_orphans(self, parents: dict[str, str]) -> None:
        """Chunks (address → parent) whose beginning is gone, so that nobody can use them.

        What rests on one that only cannot be read now stays.
        """
        while gone := [address for address, parent in parents.items() if not self._chunk_path(parent).exists()]:
            for address in gone:
                self._chunk_path(address).unlink(missing_ok=True)
                del parents[address]

    def _index_session(self, path: Path) -> None:
        if found := self._read_manifest(path):
            public, kept = found
            self.index.put_session(self._session_row(path, model_word(public.fingerprint), kept, kept.kept_ns))

    def _session_row(self, path: Path, model: str, kept: Manifest, used_ns: int) -> SessionRow:
        end = kept.line[-1].address if kept.line else ""
        size, written_ns = _stamp(path)
        return SessionRow(path.name, model, self.person(kept.name), end, size, used_ns, written_ns)

    def line_name(self, before: bytes, ids: list[int] | tuple[int, ...]) -> bytes:
        """Keyed hash of all ids of a conversation, from that of those before."""
        return self.keys.name(b"line", before, b"".join(token.to_bytes(4, "little") for token in ids))


def model_word(fingerprint: dict[str, str]) -> str:
    """A fingerprint as one word, the same wherever it is made."""
    import hashlib
    import json

    return hashlib.sha256(json.dumps(fingerprint, sort_keys=True).encode()).hexdigest()[:16]


def differing(theirs: dict[str, str], ours: dict[str, str]) -> str:
    """Which parts of two fingerprints differ, in words; "" if none."""
    parts = [part for part in sorted({*theirs, *ours}) if theirs.get(part) != ours.get(part)]
    return ", ".join(f"{part} is {theirs.get(part, 'not given')!r}, not {ours.get(part)!r}" for part in parts)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise OutOfReach(error) from error


def _stamp(path: Path) -> tuple[int, int]:
    """(bytes, when written in ns): a file with another stamp is another one."""
    known = path.stat()
    return known.st_size, known.st_mtime_ns


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
