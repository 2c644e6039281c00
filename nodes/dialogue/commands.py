"""`sage ask`, `sage chat`, `sage trace`, `sage hear`, `sage say`: words in, answers out, and where the time went."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runtime import console
from runtime.bench.session import Outcome, Session, measured

if TYPE_CHECKING:
    from protocol.messages.audio import Hear, Heard, Utterance
    from protocol.messages.dialogue import Answer, Ask, ExchangeCompleted, ReplyPart, TraceReply
    from protocol.messages.speech import Said

DIALOGUE, EARS, VOICE = "dialogue", "audio_sensor", "speaker"


@click.command()
@click.argument("text")
@click.option("--level", default="", help="Level that must answer. [trust chooses]")
@click.option("--session", default="default", show_default=True, help="Conversation it belongs to.")
@click.option("--speak", is_flag=True, help="Have the answer spoken too.")
@click.option("--max-new-tokens", type=click.IntRange(min=0), default=0, help="Longest answer. [as the level has it]")
@click.option("--critical", is_flag=True, help="A wrong answer would do harm: the most capable level answers.")
@console.common(timeout=120)
def ask(
    *,
    text: str,
    level: str,
    session: str,
    speak: bool,
    max_new_tokens: int,
    critical: bool,
    as_json: bool,
    timeout: float,
) -> None:
    """Ask TEXT and read the answer while it comes; then who answered, in which context, and why.

    \b
    With --json: one line for every piece (dialogue ReplyPart), then the whole Answer.
    Example: sage ask "what is two plus three"
    """
    from protocol.messages.dialogue import Ask

    request = Ask(
        text=text, session=session, level=level, speak=speak, max_new_tokens=max_new_tokens, critical=critical
    )
    console.run(_ask(request, as_json, timeout), timeout + 1)


@click.command()
@click.option("--level", default="", help="Level that must answer. [trust chooses]")
@click.option("--session", default="chat", show_default=True, help="Conversation to go on with.")
@click.option("--speak", is_flag=True, help="Have the answers spoken too.")
@console.common(timeout=120)
def chat(*, level: str, session: str, speak: bool, as_json: bool, timeout: float) -> None:
    """Converse line by line; an empty line is passed over, the end of input (Ctrl-D) ends it.

    --timeout bounds each answer.
    """
    from protocol.errors import HubLost, SageError
    from protocol.messages.dialogue import Ask

    prompt = click.style("you  ", fg="cyan") if sys.stdin.isatty() and not as_json else ""
    while text := _read_line(prompt):
        if not text.strip():
            continue
        request = Ask(text=text.strip(), session=session, level=level, speak=speak)
        try:
            console.run(_ask(request, as_json, timeout), timeout + 1)
        except HubLost:
            raise
        except SageError as error:
            click.echo(f"{click.style('sage:', fg='red')} {error}", err=True)


def _read_line(prompt: str) -> str:
    """The next line with its end; empty at the end of input."""
    click.echo(prompt, nl=False)
    return sys.stdin.readline()


@click.command()
@click.argument("ident", default="")
@console.common(timeout=5)
def trace(ident: str, as_json: bool, timeout: float) -> None:
    """Show the stages of an exchange with their times: IDENT is its id, its trace id, or a beginning; else the last."""
    found: TraceReply = console.run(_trace(ident, timeout), timeout + 1)
    if as_json:
        console.show_json(found)
    elif found.found:
        click.echo(_stages(found))
    else:
        click.echo(f"no exchange {ident!r} is kept" if ident else "nothing was asked yet", err=True)
    if not found.found:
        raise SystemExit(console.FAILED)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--pace", type=click.Choice(["fast", "real"]), default="fast", show_default=True)
@click.option("--session", default="", help="Conversation it belongs to. [one of its own]")
@click.option("--only-listen", is_flag=True, help="Show what is understood, and answer nothing.")
@console.common(timeout=300)
def hear(*, file: Path, pace: str, session: str, only_listen: bool, as_json: bool, timeout: float) -> None:
    """Have the ears listen to a WAV FILE as if it came from a microphone; show what they understood and the answers."""
    import os

    from protocol.messages.audio import Hear

    # Answers are told apart from those to others by their conversation, so it needs a name of its own.
    session = session or f"hear-{os.getpid()}"
    request = Hear(path=str(file.resolve()), pace=pace, session=session, publish=not only_listen)
    console.run(_hear(request, as_json, timeout), timeout + 1)


@click.command()
@click.argument("text")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="WAV file to write. [the speaker's own]")
@console.common(timeout=60)
def say(text: str, out: Path | None, as_json: bool, timeout: float) -> None:
    """Have TEXT spoken into a WAV file."""
    said: Said = console.run(_say(text, str(out.resolve()) if out else "", timeout), timeout + 1)
    if as_json:
        console.show_json(said)
    else:
        click.echo(f"{said.path}  {said.audio_s:.2f} s of speech, made in {said.seconds:.2f} s")


async def _ask(request: Ask, as_json: bool, timeout: float) -> None:
    import time

    from runtime.client import Client

    began = time.monotonic()
    async with (
        Client.connect(name="ask", deadline=timeout) as client,
        client.stream(DIALOGUE, request, deadline=timeout) as stream,
    ):
        async for part in stream:
            _show_part(part, as_json)
        answer: Answer = stream.reply
    if as_json:
        console.show_json(answer)
    else:
        click.echo("\n" + _told(answer, time.monotonic() - began))


async def _trace(ident: str, timeout: float) -> TraceReply:
    from protocol.messages.dialogue import TraceRequest
    from runtime.client import Client

    async with Client.connect(name="trace", deadline=timeout) as client:
        found: TraceReply = await client.call(DIALOGUE, TraceRequest(ident=ident), deadline=timeout)
    return found


async def _hear(request: Hear, as_json: bool, timeout: float) -> None:
    from runtime.client import Client

    async with Client.connect(name="hear", deadline=timeout) as client, client.events("exchange/completed") as ended:
        async with client.stream(EARS, request, deadline=timeout) as stream:
            async for utterance in stream:
                _show_utterance(utterance, as_json)
            heard: Heard = stream.reply
        unanswered = heard.utterances if request.publish else 0
        while unanswered:
            completed: ExchangeCompleted = (await anext(ended)).body
            if completed.session == request.session:
                unanswered -= 1
                _show_completed(completed, as_json)
    if as_json:
        console.show_json(heard)
    elif not heard.utterances:
        click.echo(f"nobody spoke in {heard.audio_s:.1f} s", err=True)


async def _say(text: str, path: str, timeout: float) -> Said:
    from protocol.messages.speech import Say
    from runtime.client import Client

    async with Client.connect(name="say", deadline=timeout) as client:
        said: Said = await client.call(VOICE, Say(text=text, path=path), deadline=timeout)
    return said


def _show_utterance(utterance: Utterance, as_json: bool) -> None:
    if as_json:
        console.show_json(utterance)
    else:
        click.echo(f"heard  {utterance.text or '(nothing understood)'}")


def _show_part(part: ReplyPart, as_json: bool) -> None:
    if as_json:
        console.show_json(part)
        return
    if part.restart:
        click.echo(click.style(f"\n({part.level or 'another'} answers instead)", dim=True))
    click.echo(part.text, nl=False)


def _show_completed(completed: ExchangeCompleted, as_json: bool) -> None:
    if as_json:
        console.show_json(completed)
    elif completed.answer is not None:
        click.echo(f"answer {completed.answer.text}\n{_told(completed.answer)}")
    else:
        click.echo(f"no answer: {completed.error or 'given up'}")


def _told(answer: Answer, seconds: float | None = None) -> str:
    """Who answered, where, how surely, how fast and why, in one line."""
    facts = [answer.answered_by]
    if answer.context is not None:
        facts.append(str(answer.context))
    facts.append(f"confidence {answer.confidence:.2f}")
    if answer.score is not None:
        facts.append(f"{answer.verifier} {answer.score:.2f}")
    if seconds is not None:
        facts.append(f"{seconds:.2f} s")
    return click.style(f"[{', '.join(facts)}] {answer.why}", dim=True)


def _stages(found: TraceReply) -> str:
    """The stages in order of their beginning, in milliseconds from the first of them."""
    first_ns = min((stage.start_ns for stage in found.stages), default=0)
    rows = [
        (
            f"{(stage.start_ns - first_ns) / 1e6:.1f}",
            f"{stage.seconds * 1e3:.1f}",
            stage.node,
            stage.name,
            stage.detail,
        )
        for stage in sorted(found.stages, key=lambda stage: stage.start_ns)
    ]
    head = f"{found.question!r}, answered by {found.answered_by}\nexchange {found.exchange}, trace {found.trace.hex()}"
    return f"{head}\n{console.table(rows, header=('at ms', 'took ms', 'node', 'stage', 'detail'))}"


@click.command("rouse")
@measured("rouse")
@click.option("--launch", default="local", show_default=True, help="Launch file to start.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="An argument of the launch file.")
@click.option("--text", default="what is 17 plus 25 ?", show_default=True, help="What is asked.")
def bench_rouse(session: Session, launch: str, settings: tuple[str, ...], text: str) -> Outcome:
    """How soon a sleeping whole answers, in REST and in DREAM, beyond the loading of its models."""
    from nodes.dialogue.rouse_bench import measure

    return measure(session, launch, settings, text)


@click.command("choice")
@measured("choice")
def bench_choice(session: Session) -> Outcome:
    """How long the choice of a level takes, with the reading of the trust table."""
    from nodes.dialogue.choice_bench import measure

    return measure(session)
