"""`sage kv …`: attention state on the disk, by hand; and `sage bench kv`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from nodes.model_worker.errors import StateUnreadable, UnknownSession
from nodes.model_worker.kv.codecs.commands import fit
from protocol.errors import ConfigError, NotPermitted, SageError
from runtime import console
from runtime.bench.session import Outcome, Session, measured

if TYPE_CHECKING:
    from nodes.model_worker.explore import Explorer, Pruned
    from nodes.model_worker.kv.index import SessionRow
    from nodes.model_worker.kv.manifest import Manifest, PublicPart
    from nodes.model_worker.kv.vault import Vault
    from nodes.model_worker.levels import Levels
    from protocol.messages.model import StateMarked, StateResumed, StateSaved

    Kept = tuple[SessionRow, PublicPart, Manifest]

WORKERS = "model_worker/"


@click.group()
def kv() -> None:
    """Attention state that outlives its process: which conversations are kept, and whether their files are whole."""


kv.add_command(fit)


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
@console.common(timeout=60)
def save(as_json: bool, timeout: float) -> None:
    """Have every running worker write down what is not on the disk yet, and wait for it."""
    from protocol.messages.model import SaveState

    saved: dict[str, StateSaved] = console.run(_ask_workers(SaveState, timeout), timeout)
    for worker, answer in saved.items():
        if as_json:
            console.show_json({"worker": worker, **console.plain(answer)})
        else:
            click.echo(f"{worker}: {answer.problem or f'{answer.sessions} conversations are written down'}")
    if any(answer.problem for answer in saved.values()):
        raise SystemExit(console.FAILED)


@kv.command()
@click.argument("session")
@click.option("--level", help="The level whose worker is to hold it. [all that keep something of it]")
@click.option("--checkpoint", "label", help="As it stood at this one. [as it stands]")
@console.common(timeout=60)
def resume(session: str, level: str | None, label: str | None, as_json: bool, timeout: float) -> None:
    """Have SESSION read from the disk now, so that its next turn need not wait for that.

    A request that goes on from a checkpoint, under whatever name, finds it then in memory.
    """
    from nodes.model_worker.kv.manifest import Moment
    from protocol.messages.model import ResumeState

    name = session if label is None else Moment(session=session, label=label, why="").name
    found: dict[str, StateResumed] = console.run(
        _ask_workers(lambda: ResumeState(session=name), timeout, level, passing=_unless(level)), timeout
    )
    if not found:
        raise _unknown(name)
    for worker, answer in found.items():
        if as_json:
            console.show_json({"worker": worker, **console.plain(answer)})
        else:
            missed = f"; {answer.missed}" if answer.missed else ""
            click.echo(f"{worker}: {answer.tokens} tokens, {answer.restored} of them read from the disk{missed}")


@kv.command()
@click.argument("session")
@console.common(timeout=30)
def checkpoints(session: str, as_json: bool, timeout: float) -> None:
    """The moments at which SESSION was kept beside itself, the first one first.

    \b
    Example: sage kv resume SESSION --checkpoint LABEL
    """
    with _vault() as vault:
        for row, kept in vault.checkpoints(session):
            assert kept.moment is not None
            shown = {
                "label": kept.moment.label,
                "why": kept.moment.why,
                "made": _time(kept.kept_ns),
                **_summary(row, kept),
            }
            if as_json:
                console.show_json(shown)
            else:
                click.echo(
                    f"{shown['label']:<36} {shown['tokens']:>7} tokens  {kept.model}  {shown['made']}  {shown['why']}"
                )


@kv.command()
@click.argument("session")
@click.option("--label", required=True, help="What to call it; of one label the last one stays.")
@click.option("--level", help="The level whose worker is to make it. [all that keep something of it]")
@console.common(timeout=60)
def checkpoint(session: str, label: str, level: str | None, as_json: bool, timeout: float) -> None:
    """Keep SESSION as it stands now beside the conversation itself."""
    from protocol.messages.model import MarkState

    found: dict[str, StateMarked] = console.run(
        _ask_workers(
            lambda: MarkState(session=session, label=label, why="by hand"), timeout, level, passing=_unless(level)
        ),
        timeout,
    )
    if not found:
        raise _unknown(session)
    for worker, answer in found.items():
        if as_json:
            console.show_json({"worker": worker, **console.plain(answer)})
        else:
            click.echo(f"{worker}: {answer.name}, {answer.tokens} tokens")


@kv.command()
@click.argument("session")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--level", help="The level whose state to export. [the one used last]")
@console.common(timeout=600)
def export(session: str, file: Path, level: str | None, as_json: bool, timeout: float) -> None:
    """Write the state of SESSION to FILE, to be imported elsewhere. Whoever has that file can read the conversation."""
    from nodes.model_worker import levels
    from nodes.model_worker.kv import bundle
    from nodes.model_worker.kv.chunkfile import Unreadable
    from runtime.clock import Clock

    with _vault() as vault:
        _, public, kept = _one(_of(vault, session), level, levels.load())
        try:
            with console.written_beside(file) as out:
                written = bundle.export(vault, public.fingerprint, kept, out, Clock().wall_ns())
        except Unreadable as error:
            raise StateUnreadable(str(error), place=session, remedy="`sage kv verify` names what is spoiled") from error
    if as_json:
        console.show_json({"session": session, "file": str(file), "bytes": written})
    else:
        click.echo(f"{session} is in {file}: {written} bytes, readable by whoever has them")


@kv.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--as", "name", default="", help="What to call the conversation here. [as it was called there]")
@click.option("--from", "trusted", default="", help="The LCT of the host that may have exported it. [this host's own]")
@console.common(timeout=600)
def import_(file: Path, name: str, trusted: str, as_json: bool, timeout: float) -> None:
    """Take the state of a conversation from FILE. A model answers from it as from its own: import what you trust."""
    from nodes.model_worker.kv import bundle
    from nodes.model_worker.kv.chunkfile import Unreadable

    with _vault() as vault, file.open("rb") as source:
        try:
            by = bundle.check(source).by
            if by != (trusted or vault.keys.identity.lct.id):
                raise NotPermitted(
                    f"it was exported by {by}", place=str(file), remedy=f"if you trust that host: --from {by}"
                )
            kept = bundle.restore(vault, source, name)
        except Unreadable as error:
            raise StateUnreadable(str(error), place=str(file), remedy="export it again") from error
    tokens = sum(len(chunk.ids) for chunk in kept.line)
    if as_json:
        console.show_json({"session": kept.name, "tokens": tokens, "by": by})
    else:
        click.echo(f"{kept.name}: {tokens} tokens, exported by {by}")


@kv.command()
@click.argument("session")
@click.option("--levels", "file", default="configs/levels.yaml", show_default=True, help="The levels file.")
@click.option("--level", help="The level whose state to look into. [the one used last]")
@click.option("--at", type=int, help="Show this token and end. Negative: from the end.")
@click.option("--keep", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="Share pruning keeps.")
@click.option("--say", type=click.IntRange(min=0), default=12, show_default=True, help="Tokens to go on with.")
@click.option("--plot", "picture", type=click.Path(dir_okay=False, path_type=Path), help="Write a PNG and end.")
@console.common(timeout=600)
def explore(
    session: str,
    file: str,
    level: str | None,
    at: int | None,
    keep: float,
    say: int,
    picture: Path | None,
    as_json: bool,
    timeout: float,
) -> None:
    """Step through what is kept of SESSION: tokens, norms, attention, what pruning would keep, what would be said next.

    Reads commands from the terminal: Enter or n for the next token, p for the one before, a number to go there, g to
    resume from there and see the next tokens, after all of the conversation and after what pruning keeps of it, q to
    end.
    """
    from dataclasses import asdict

    from nodes.model_worker import levels
    from nodes.model_worker.explore import explorer, lines
    from nodes.model_worker.kv.chunkfile import Unreadable

    known = levels.load(file)
    with _vault() as vault:
        _, public, kept = _one(_of(vault, session), level, known)
        chosen = next((each for each in known.levels if each.model == kept.model), None)
        if chosen is None:
            raise ConfigError(f"no level runs {kept.model}", place=file, remedy="name the levels file by --levels")
        try:
            explored: Explorer = explorer(vault, chosen, public.fingerprint, kept)
        except Unreadable as error:
            raise StateUnreadable(str(error), place=session, remedy="`sage kv verify` names what is spoiled") from error
    pruned = explored.pruned(keep)
    if picture is not None:
        _draw(explored, pruned, picture)
        click.echo(f"drawn to {picture}")
        return
    total = len(explored.tokens)

    def told(here: int) -> dict[str, str]:
        return {"next": explored.continued(here, say), "next_pruned": explored.continued(here, say, pruned.kept)}

    def tell(here: int) -> None:
        said = told(here)
        click.echo(f"  next    {said['next']!r}\n  pruned  {said['next_pruned']!r}")

    place = total - 1 if at is None else at % total if -total <= at < total else _outside(at, total)
    while True:
        view = explored.view(place)
        if as_json:
            console.show_json({**asdict(view), "kept": place in pruned.kept, **told(place)})
        else:
            click.echo("\n".join(lines(view, pruned, total)))
            if at is not None:
                tell(place)
        if at is not None or as_json:
            return
        moved = _step(place, total, tell)
        if moved is None:
            return
        place = moved


@kv.command()
@click.option("--levels", "file", default="configs/levels.yaml", show_default=True, help="The levels file.")
@click.option("--level", help="Only this one.")
@click.option("--try", "tried", is_flag=True, help="Answer a conversation of that length, too.")
@console.common(timeout=600)
def limit(file: str, level: str | None, tried: bool, as_json: bool, timeout: float) -> None:
    """The longest conversation each level can hold on this machine now, and what sets that limit."""
    from nodes.model_worker import levels
    from nodes.model_worker.limit import find

    known = levels.load(file)
    for each in [known.by_name(level)] if level else known.levels:
        found = find(each, tried=tried)
        if as_json:
            console.show_json(found.as_dict())
        else:
            click.echo(str(found))


@kv.command()
@click.argument("session")
@console.common(timeout=30)
def remove(session: str, as_json: bool, timeout: float) -> None:
    """Forget SESSION under every model with its checkpoints, and the chunks that no other conversation needs.

    A worker that is running may still hold it in memory, and writes it down again with its next turn.
    """
    with _vault() as vault:
        rows = [row for row, _, _ in _of(vault, session)] + [row for row, _ in vault.checkpoints(session)]
        freed = sum(vault.remove_session(row) for row in rows)
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
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Of torch.")
def bench_kv(session: Session, shape: str, device: str, dtype: str, chunk: int | None, threads: int) -> Outcome:
    """What kept attention state saves, at a true shape with random weights: beside computing everything anew."""
    from nodes.model_worker.bench import measure

    return measure(session, shape=shape, device=device, dtype=dtype, chunk=chunk, threads=threads)


def _unless(level: str | None) -> Callable[[SageError], bool]:
    """Which errors of one worker are no matter: that it knows nothing of it, where no level was named."""
    return lambda error: level is None and error.code == UnknownSession.code


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


def _of(vault: Vault, session: str) -> list[Kept]:
    """Of every model, the one used last at the end. Raises UnknownSession."""
    found = [each for each in vault.manifests() if each[2].name == session]
    if not found:
        raise _unknown(session, sorted({kept.name for _, _, kept in vault.manifests()}))
    return found


def _step(place: int, total: int, say: Callable[[int], None]) -> int | None:
    """Where to go from here, as the terminal says; None to end."""
    while True:
        try:
            word = click.prompt("explore", default="n", show_default=False, prompt_suffix="> ").strip()
        except click.Abort:
            return None
        match word:
            case "q":
                return None
            case "n" if place + 1 < total:
                return place + 1
            case "p" if place > 0:
                return place - 1
            case "g":
                say(place)
            case _ if word.isdigit() and int(word) < total:
                return int(word)
            case _:
                click.echo(f"  n, p, g, q, or a token from 0 to {total - 1}")


def _outside(at: int, total: int) -> NoReturn:
    raise ConfigError(f"there is no token {at}", place="--at", remedy=f"the conversation has {total} tokens")


def _draw(explored: Explorer, pruned: Pruned, picture: Path) -> None:
    from nodes.model_worker.explore import plot

    console.save_picture(lambda: plot(explored, pruned), picture)


def _one(found: list[Kept], level: str | None, known: Levels) -> Kept:
    """The one of that level's model; the one used last if no level is named."""
    if level is None:
        return found[-1]
    model = known.by_name(level).model
    for each in found:
        if each[2].model == model:
            return each
    kept = ", ".join(each[2].model for each in found)
    raise UnknownSession(f"nothing is kept of it under {model}", place=level, remedy=f"there is state of {kept}")


def _unknown(session: str, known: Sequence[str] = ()) -> UnknownSession:
    from nodes.model_worker.kv.vault import VAULT
    from runtime.paths import state_dir

    return UnknownSession(
        f"nothing is kept of {session!r}",
        place=str(state_dir() / VAULT),
        remedy=f"there are {', '.join(known[:10])}" if known else "`sage kv list` shows what is kept",
    )


async def _ask_workers(
    request: Callable[[], Any],
    timeout: float,
    level: str | None = None,
    passing: Callable[[SageError], bool] = lambda _: False,
) -> dict[str, Any]:
    """What every running worker answers, or the one of that level; those whose error may pass are left out."""
    from protocol.messages.hub import ListNodes
    from protocol.messages.node import NodeState
    from runtime.client import Client

    found = {}
    async with Client.connect(name="kv", deadline=timeout) as client:
        registry = await client.call("hub", ListNodes(), deadline=timeout)
        up = [node.name for node in registry.nodes if node.state in (NodeState.READY, NodeState.DEGRADED)]
        workers = [name for name in up if name == f"{WORKERS}{level}" or (level is None and name.startswith(WORKERS))]
        if not workers:
            raise ConfigError("no such worker is running", place=level or "model_worker", remedy="`sage status`")
        for name in workers:
            try:
                found[name] = await client.call(name, request(), deadline=timeout)
            except SageError as error:
                if not passing(error):
                    raise
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
