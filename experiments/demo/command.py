"""`sage demo`: three spoken questions, answered by a whole system that starts for them and goes again."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runtime import console

if TYPE_CHECKING:
    from experiments.demo.speaking import Outcome
    from protocol.messages.metabolism import MetabolicState


@click.command()
@click.option("--seed", default=7, show_default=True, help="Draws the questions.")
@click.option("--launch", default="local", show_default=True, help="Launch file to start.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out/demo"),
    show_default=True,
    help="Folder for the WAV files.",
)
@console.common(timeout=300)
def demo(seed: int, launch: str, out: Path, as_json: bool, timeout: float) -> None:
    """Start the system, ask it three spoken questions, show what happened to each, stop it.

    Exit code 1 if a question was not answered rightly.
    """
    outcomes = console.run(_demo(seed, launch, out, as_json), timeout)
    sys.exit(0 if all(outcome.good for outcome in outcomes) else console.FAILED)


async def _demo(seed: int, launch: str, out: Path, as_json: bool) -> list[Outcome]:
    from experiments.demo.questions import turns
    from experiments.demo.speaking import can_speak, take
    from experiments.demo.system import running
    from runtime.client import Client
    from runtime.paths import private_directory

    out.mkdir(parents=True, exist_ok=True)
    if not can_speak():
        click.echo("espeak-ng is missing: the questions are typed (apt-get install espeak-ng)", err=True)
    outcomes = []
    began = time.monotonic()
    async with running(launch, private_directory(out / "state")) as system:
        click.echo(f"all ready after {time.monotonic() - began:.1f} s", err=True)
        async with Client.connect(system.run_dir, name="demo") as client:
            for number, turn in enumerate(turns(seed), start=1):
                outcome = await take(client, turn, number, out.resolve())
                outcomes.append(outcome)
                _show(outcome, number, as_json)
            _show_state(await _metabolic(client), as_json)
    click.echo("stopped, no process is left", err=True)
    return outcomes


async def _metabolic(client: Any) -> MetabolicState:
    async with client.events("metabolic/state") as states:
        state: MetabolicState = (await anext(states)).body
        return state


def _show(outcome: Outcome, number: int, as_json: bool) -> None:
    if as_json:
        console.show_json(_record(outcome))
        return
    answer, spoken = outcome.answer, outcome.spoken
    verdict = {
        True: click.style("right", fg="green"),
        False: click.style("wrong", fg="red"),
        None: "a pattern's answer",
    }
    context = (
        f"{answer.context} ({answer.snarc.why})" if answer.context and answer.snarc else str(answer.context or "-")
    )
    lines = [
        ("asked", f"{outcome.turn.text}   ({outcome.turn.kind}{', ' + str(outcome.question_wav) if spoken else ''})"),
        ("heard", outcome.heard),
        ("context", context),
        ("answered by", f"{answer.answered_by}: {answer.why}"),
        ("answer", f"{click.style(answer.text, bold=True)}   {verdict[outcome.right]}"),
    ]
    if spoken:
        first_sound = (spoken.first_sound_ns - outcome.speech_end_ns) / 1e9
        lines.append(("spoken", f"out answer-{number}.wav, first sound {first_sound:.2f} s after the question ended"))
    lines.append(("stages", ", ".join(f"{stage.name} {1e3 * stage.seconds:.1f} ms" for stage in answer.stages)))
    click.echo(click.style(f"\n{number}. ", bold=True) + "\n   ".join(f"{name:<12}{text}" for name, text in lines))


def _record(outcome: Outcome) -> dict[str, Any]:
    return {
        "asked": outcome.turn.text,
        "kind": outcome.turn.kind,
        "needs": outcome.turn.level,
        "heard": outcome.heard,
        "right": outcome.right,
        "expected": outcome.verdict.expected if outcome.verdict else "",
        "answer": outcome.answer,
        "spoken": outcome.spoken,
        "first_sound_s": (outcome.spoken.first_sound_ns - outcome.speech_end_ns) / 1e9 if outcome.spoken else None,
    }


def _show_state(state: MetabolicState, as_json: bool) -> None:
    if as_json:
        console.show_json({"metabolic": state})
    else:
        click.echo(
            f"\nmetabolic state {click.style(state.state, bold=True)} (transition {state.number}): {state.reason}"
        )
