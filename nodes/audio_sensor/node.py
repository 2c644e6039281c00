"""The ears as a process: sound in, `audio/speech` and `audio/utterance` out."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path

import msgspec

from nodes.audio_sensor import settings
from nodes.audio_sensor.ear import Ear, Pace
from nodes.audio_sensor.errors import BadRecording
from nodes.audio_sensor.listening import Noticed, SpeechBegan, SpeechEnded, Understood
from protocol.errors import BadRequest, SageError
from protocol.messages.audio import Hear, Heard, SpeechActivity, Stage, Utterance
from runtime.node import Call, Node, run, serve


class AudioSensor(Node):
    """Hears speech and turns it into words."""

    class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        config: str = ""
        """Path of the configuration; empty: the one that ships."""
        preload: bool = True
        """Load the decoders at the start; otherwise with the first recording."""

    _ear: Ear | None = None

    async def start(self) -> None:
        self._ear = Ear(settings.load(self.params.config), self.state_dir / "voice", self.clock)
        self.stats_record("hearing", self._ear.stats)
        if self.params.preload:
            try:
                await self._open()
            except SageError as error:  # text goes on working; each request gets the error by its name
                self.log.warning("hearing.not_loaded", error=str(error))

    async def stop(self) -> None:
        if self._ear is not None:
            self._ear.close()

    @serve(Hear, concurrency=1, queue=100)
    async def hear(self, request: Hear, call: Call) -> Heard:
        """Listen to a recording from its beginning to its end; one at a time, in the order in which they were asked."""
        pace, path = _checked(request)
        ear = await self._open()
        recording = await ear.recording(path)
        began_ns, utterances = self.clock.mono_ns(), 0
        async with aclosing(ear.hear(recording, pace)) as heard:
            async for noticed in heard:
                said = self._message(noticed, request, path.name)
                if request.publish:
                    self.publish(said, trace=self.new_trace() if isinstance(said, Utterance) else b"")
                if isinstance(said, Utterance):
                    utterances += 1
                    self.log.info("utterance.understood", number=said.utterance, accepted_by=said.accepted_by)
                    await call.part(said)
        seconds = (self.clock.mono_ns() - began_ns) / 1e9
        return Heard(utterances=utterances, audio_s=recording.seconds, seconds=seconds)

    async def _open(self) -> Ear:
        """The ear, loaded. Degraded while that fails, ready again once it does not."""
        assert self._ear is not None
        loaded = bool(self._ear.parts)
        try:
            await self._ear.open()
        except SageError as error:
            self.ails("hearing", str(error))
            raise
        if not loaded:
            self.log.info("hearing.loaded", parts=self._ear.parts)
        self.ails("hearing", "")
        return self._ear

    def _message(self, noticed: Noticed, request: Hear, source: str) -> SpeechActivity | Utterance:
        match noticed:
            case SpeechBegan(number, at_s):
                return SpeechActivity(speaking=True, utterance=number, source=source, at_s=at_s)
            case SpeechEnded(number, at_s):
                return SpeechActivity(speaking=False, utterance=number, source=source, at_s=at_s)
            case Understood():
                return Utterance(
                    text=noticed.transcript.text,
                    source=source,
                    utterance=noticed.number,
                    confidence=noticed.transcript.confidence,
                    accepted_by=noticed.transcript.accepted_by,
                    begin_s=noticed.begin_s,
                    end_s=noticed.end_s,
                    speech_end_ns=noticed.speech_end_ns,
                    stages=_stages(noticed, self.name),
                    session=request.session,
                    loudness=noticed.loudness,
                )


def _checked(request: Hear) -> tuple[Pace, Path]:
    if request.pace not in list(Pace):
        raise BadRequest(f"{request.pace!r} is not one of {', '.join(Pace)}", place="audio/hear: pace")
    path = Path(request.path)
    if not path.is_absolute():
        raise BadRecording(
            "is a relative path, and the ears live in another directory",
            place=request.path,
            remedy="give the whole path",
        )
    return Pace(request.pace), path


def _stages(understood: Understood, node: str) -> list[Stage]:
    """How long it took to be sure of the end, and to make words of the sound; the second may lie within the first."""
    waited_s = (understood.decided_ns - understood.speech_end_ns) / 1e9
    accepted_by = understood.transcript.accepted_by
    return [
        Stage(name="endpoint", node=node, start_ns=understood.speech_end_ns, seconds=waited_s),
        Stage(
            name="transcribe",
            node=node,
            start_ns=understood.decode_start_ns,
            seconds=understood.decode_s,
            detail=f"accepted by {accepted_by}",
        ),
    ]


if __name__ == "__main__":
    run(AudioSensor)
