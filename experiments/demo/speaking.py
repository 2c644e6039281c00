"""One turn of the demonstration: the question is spoken into a WAV file, heard, answered, and the answer spoken."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.demo.questions import DemoTurn
from experiments.demo.system import DemoFailed
from protocol.errors import DeadlineExceeded
from protocol.messages.audio import Hear, Utterance
from protocol.messages.dialogue import Answer, Ask, ExchangeCompleted
from protocol.messages.model import ChatMessage
from protocol.messages.speech import Spoken
from runtime.bus.events import Event
from runtime.client import Client
from runtime.verifiers import Verdict, judge, load_verifiers

VOICE = ("espeak-ng", "-v", "en-us", "-s", "150")
TURN_S = 60.0


@dataclass(frozen=True)
class Outcome:
    """What became of a turn."""

    turn: DemoTurn
    question_wav: Path | None
    heard: str
    """The transcript; the typed words where nothing can speak."""
    answer: Answer
    right: bool | None
    """By the verifier, against what was really asked; None for a pattern, of which it knows nothing."""
    verdict: Verdict | None
    spoken: Spoken | None
    speech_end_ns: int

    @property
    def good(self) -> bool:
        """Whether the turn went as it should."""
        return self.answer.answered_by == "pattern" if self.right is None else self.right


def can_speak() -> bool:
    return shutil.which(VOICE[0]) is not None


async def take(client: Client, turn: DemoTurn, number: int, out: Path) -> Outcome:
    """Put one question to the system, by voice where there is one."""
    if not can_speak():
        answer = await client.call(
            "dialogue", Ask(text=turn.text, session=f"demo-{number}", source="demo"), deadline=TURN_S
        )
        return _outcome(turn, None, turn.text, answer, None, 0)
    wav = out / f"question-{number}.wav"
    await _speak(turn.text, wav)
    session = f"demo-{number}"
    async with (
        client.events("exchange/completed") as completions,
        client.events("speech/spoken") as speeches,
        client.stream("audio_sensor", Hear(path=str(wav), session=session), deadline=TURN_S) as hearing,
    ):
        utterances: list[Utterance] = [part async for part in hearing]
        if len(utterances) != 1:
            raise DemoFailed(f"one question was asked and {len(utterances)} were heard", place=str(wav))
        completed: ExchangeCompleted = await _first(completions, lambda body: body.session == session)
        if completed.answer is None:
            raise DemoFailed(f"no answer: {completed.error}", place=turn.text)
        spoken: Spoken = await _first(speeches, lambda body: body.exchange == completed.exchange)
    shutil.copyfile(spoken.path, out / f"answer-{number}.wav")
    utterance = utterances[0]
    return _outcome(turn, wav, utterance.text, completed.answer, spoken, utterance.speech_end_ns)


def _outcome(
    turn: DemoTurn, wav: Path | None, heard: str, answer: Answer, spoken: Spoken | None, speech_end_ns: int
) -> Outcome:
    judged = judge(load_verifiers(), [ChatMessage(role="user", content=turn.text)], answer.text)
    verdict = judged[1] if judged and turn.level else None
    right = None if not turn.level else verdict is not None and verdict.score >= 1.0
    return Outcome(turn, wav, heard, answer, right, verdict, spoken, speech_end_ns)


async def _speak(text: str, wav: Path) -> None:
    process = await asyncio.create_subprocess_exec(*VOICE, "-w", str(wav), text)
    if await process.wait():
        raise DemoFailed(f"{VOICE[0]} ended with status {process.returncode}", place=str(wav))


async def _first(events: AsyncIterator[Event[Any]], wanted: Any) -> Any:
    """The first body that is wanted."""
    try:
        async with asyncio.timeout(TURN_S):
            async for event in events:
                if wanted(event.body):
                    return event.body
    except TimeoutError as error:
        raise DeadlineExceeded(f"nothing came within {TURN_S:g} s", place="demo") from error
    raise DemoFailed("the events ended", place="demo")
