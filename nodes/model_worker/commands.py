"""`sage kv …`: attention state on the disk, by hand; and `sage bench kv`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from nodes.model_worker.errors import UnknownSession
from runtime import console
from runtime.bench.session import Outcome, Session, measured

if TYPE_CHECKING:
    from nodes.model_worker.kv.index import SessionRow
    from nodes.model_worker.kv.manifest import Manifest, PublicPart
    from nodes.model_worker.kv.vault import Vault


@click.group()
def kv() -> None:
    """Attention state that outlives its process: which conversations are kept, and whether their files are whole."""


@kv.command("list")
@console.common(timeout=30)
def list_(as_json: bool, timeout: float) -> None:
    """Every kept conversation, the least recently used first."""
    with _vault() as vault:
        for row, _, kept in vault.manifests():
            shown = _summary(row, kept)
            if as_json:
                console.show_json(shown)
            else:
                click.echo(
                    f"{shown['session']:<24} {shown['tokens']:>7} tokens {shown['chunks']:>5} chunks  "
                    f"{shown['model']}  {shown['used']}"
                )


@kv.command()
@click.argument("session")
@console.common(timeout=30)
def info(session: str, as_json: bool, timeout: float) -> None:
    """What is kept of SESSION, under every model, chunk by chunk."""
    with _vault() as vault:
        for row, public, kept in _of(vault, session):
            chunks = [
                {
                    "address": chunk.address,
                    "tokens": len(chunk.ids),
                    "exactness": chunk.exactness,
                    **_made(vault, chunk.address),
                }
                for chunk in kept.line
            ]
            shown = {**_summary(row, kept), "fingerprint": public.fingerprint, "line": chunks}
            if as_json:
                console.show_json(shown)
                continue
            click.echo(f"{session}: {shown['tokens']} tokens under {kept.model}, last used {shown['used']}")
            click.echo("  model   " + ", ".join(f"{part} {value}" for part, value in public.fingerprint.items()))
            for chunk in chunks:
                click.echo(
                    f"  {chunk['address'][:12]}  {chunk['tokens']:>4} tokens  {chunk['exactness']:<10}  "
                    f"{chunk['bytes']:>9} bytes  {chunk['made']}"
                )


@kv.command()
@console.common(timeout=600)
def verify(as_json: bool, timeout: float) -> None:
    """Read every file through. Exit code 1 if one is not what it should be; it is then in quarantine."""
    from nodes.model_worker.kv.chunkfile import Unreadable

    with _vault() as vault:
        whole, wrong = 0, dict(vault.quarantine_reasons)
        for path in list(vault.chunk_files()):
            try:
                vault.check_chunk(path)
                whole += 1
            except Unreadable as error:
                wrong[path.name] = str(error)
        sessions = sum(1 for _ in vault.manifests())
        wrong |= vault.quarantine_reasons
    if as_json:
        console.show_json({"chunks": whole, "sessions": sessions, "wrong": wrong})
    else:
        for name, reason in wrong.items():
            click.echo(f"{name}: {reason}")
        click.echo(f"{whole} chunks and {sessions} conversations are whole, {len(wrong)} files are not")
    if wrong:
        raise SystemExit(console.FAILED)


@kv.command()
@click.argument("session")
@console.common(timeout=30)
def remove(session: str, as_json: bool, timeout: float) -> None:
    """Forget SESSION under every model, and the chunks that no other conversation needs.

    A worker that is running may still hold it in memory, and writes it down again with its next turn.
    """
    with _vault() as vault:
        freed = sum(vault.remove_session(row) for row, _, _ in _of(vault, session))
    if as_json:
        console.show_json({"session": session, "bytes": freed})
    else:
        click.echo(f"{session} is forgotten: {freed} bytes")


@click.command("kv")
@measured("kv")
@click.option("--shape", default="sensory", show_default=True, help="A level of configs/levels.qwen.yaml.")
@click.option("--device", type=click.Choice(("cpu", "cuda")), default="cpu", show_default=True)
@click.option("--dtype", type=click.Choice(("bfloat16", "float32")), default="bfloat16", show_default=True)
@click.option("--chunk", type=click.IntRange(min=1), help="Tokens of a chunk. [as levels have it]")
def bench_kv(session: Session, shape: str, device: str, dtype: str, chunk: int | None) -> Outcome:
    """What kept attention state saves, at a true shape with random weights: beside computing everything anew."""
    from nodes.model_worker.bench import measure

    return measure(session, shape=shape, device=device, dtype=dtype, chunk=chunk)


@contextmanager
def _vault() -> Iterator[Vault]:
    from nodes.model_worker.kv.chunkfile import Keys
    from nodes.model_worker.kv.vault import VAULT, Vault
    from runtime.identity import HostIdentity
    from runtime.paths import state_dir

    directory = state_dir()
    vault = Vault(directory / VAULT, Keys(HostIdentity.load(directory)), budget=1 << 62)
    try:
        yield vault
    finally:
        vault.close()


def _of(vault: Vault, session: str) -> list[tuple[SessionRow, PublicPart, Manifest]]:
    found = [each for each in vault.manifests() if each[2].name == session]
    if not found:
        known = sorted({kept.name for _, _, kept in vault.manifests()})
        raise UnknownSession(
            f"nothing is kept of {session!r}",
            place=str(vault.directory),
            remedy=f"there are {', '.join(known[:10])}" if known else "no conversation is kept yet",
        )
    return found


def _summary(row: SessionRow, kept: Manifest) -> dict[str, Any]:
    return {
        "session": kept.name,
        "model": kept.model,
        "tokens": sum(len(chunk.ids) for chunk in kept.line),
        "chunks": len(kept.line),
        "used": _time(row.used_ns),
    }


def _made(vault: Vault, address: str) -> dict[str, Any]:
    """Who made a chunk, and when."""
    from nodes.model_worker.kv.chunkfile import Unreadable

    try:
        path, private = vault.provenance(address)
    except Unreadable as error:
        return {"bytes": 0, "made": str(error), "by": ""}
    return {"bytes": path.stat().st_size, "made": _time(private.made_ns), "by": private.by}


def _time(wall_ns: int) -> str:
    return datetime.fromtimestamp(wall_ns / 1e9, UTC).isoformat(timespec="seconds")
