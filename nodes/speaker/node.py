"""The voice as a process: replies in, while they are still being made, and spoken WAV files out."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from nodes.speaker import settings
from nodes.speaker.errors import NothingToSay, SynthesiserMissing
from nodes.speaker.espeak import Espeak
from nodes.speaker.reply import Reply, SpokenReply
from nodes.speaker.script import Script
from protocol.errors import BadRequest, SageError
from protocol.messages.dialogue import ExchangeCompleted, ReplyCompleted, ReplyPart
from protocol.messages.speech import Said, Say, Spoken
from runtime.node import Call, Event, Node, on, run, serve
from runtime.paths import private_directory

UNDER_WAY = 32
"""Replies spoken at once; a reply whose end never came gives way to a new one."""
REMEMBERED = 1024
"""Finished exchanges whose late parts are known to be late."""


@dataclass
class _UnderWay:
    reply: Reply
    trace: bytes
    script: Script = field(default_factory=Script)
    task: asyncio.Task[None] | None = None


class Speaker(Node):
    """Speaks replies sentence by sentence, the first while the second is still being made."""

    class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        config: str = ""
        """Path of the configuration; empty: the one that ships."""

    async def start(self) -> None:
        self._settings = settings.load(self.params.config)
        speaking = self._settings
        self._voice = Espeak(speaking.voice, speaking.words_per_minute, speaking.patience)
        self._folder = private_directory(self.run_dir / "spoken" / self.name.replace("/", "-"))
        for left in self._folder.glob(".*.wav.*"):  # half-written replies of a process that was killed
            left.unlink(missing_ok=True)
        self._under_way: OrderedDict[str, _UnderWay] = OrderedDict()
        self._over: OrderedDict[str, None] = OrderedDict()
        self._counts: Counter[str] = Counter(dict.fromkeys(("spoken", "failed", "abandoned", "sentences"), 0))
        self.stats_record("speaking", lambda: {**self._counts, "under_way": len(self._under_way)})
        readiness = self._voice.probe()
        if not readiness.ready:
            self._show(SynthesiserMissing(readiness.what, remedy=readiness.remedy))

    @on(ReplyPart)
    async def part(self, event: Event[ReplyPart]) -> None:
        part = event.body
        if part.speak and part.exchange not in self._over:
            under_way = self._reply(part.exchange, event.header.trace)
            under_way.reply.say(under_way.script.part(part.index, part.text, restart=part.restart))

    @on(ReplyCompleted)
    async def completed(self, event: Event[ReplyCompleted]) -> None:
        completed = event.body
        if completed.speak and completed.exchange not in self._over:
            under_way = self._reply(completed.exchange, event.header.trace)
            under_way.reply.say(under_way.script.complete(completed.text))
            under_way.reply.close()
            self._remember(completed.exchange)

    @on(ExchangeCompleted)
    async def failed(self, event: Event[ExchangeCompleted]) -> None:
        """An exchange that failed brings no more of its reply: what there is of it is spoken."""
        under_way = self._under_way.get(event.body.exchange)
        if event.body.error and under_way is not None and event.body.exchange not in self._over:
            under_way.reply.close()
            self._remember(event.body.exchange)

    @serve(Say)
    async def say(self, request: Say, call: Call) -> Said:
        """Speak a text into a WAV file."""
        began_ns = self.clock.mono_ns()
        path = _checked(request.path) or self._path(request.exchange or self.new_trace().hex())
        reply = Reply(path, self._voice, self.clock.mono_ns)
        reply.say(Script().complete(request.text))
        reply.close()
        spoken = await self._speak(reply, request.exchange, call.trace)
        return Said(
            path=str(spoken.path),
            audio_s=spoken.audio_s,
            seconds=(spoken.end_ns - began_ns) / 1e9,
            first_sound_s=(spoken.first_sound_ns - began_ns) / 1e9,
        )

    def _reply(self, exchange: str, trace: bytes) -> _UnderWay:
        """What is being spoken of the exchange; begun if nothing is yet."""
        if (known := self._under_way.get(exchange)) is not None:
            return known
        while len(self._under_way) >= UNDER_WAY:
            _, oldest = self._under_way.popitem(last=False)
            self._counts["abandoned"] += 1
            if oldest.task is not None:
                oldest.task.cancel()
        reply = Reply(self._path(exchange), self._voice, self.clock.mono_ns)
        begun = self._under_way[exchange] = _UnderWay(reply, trace)
        begun.task = self.spawn(self._speak_reply(exchange, begun))
        return begun

    async def _speak_reply(self, exchange: str, under_way: _UnderWay) -> None:
        try:
            await self._speak(under_way.reply, exchange, under_way.trace)
        except NothingToSay:
            self.log.info("reply.silent", exchange=exchange)
        except (SageError, OSError) as error:
            self.log.warning("reply.not_spoken", exchange=exchange, error=str(error))
            self._remember(exchange)
        finally:
            self._under_way.pop(exchange, None)

    async def _speak(self, reply: Reply, exchange: str, trace: bytes) -> SpokenReply:
        try:
            spoken = await reply.speak()
        except NothingToSay:
            raise
        except (SageError, OSError) as error:
            self._counts["failed"] += 1
            self._show(error)
            raise
        self._show(None)
        self._counts["spoken"] += 1
        self._counts["sentences"] += spoken.sentences
        if exchange:
            self.publish(_spoken(spoken, exchange), trace=trace)
        await asyncio.to_thread(_keep_newest, self._folder, self._settings.keep)
        return spoken

    def _show(self, error: Exception | None) -> None:
        """Degraded while nothing can be spoken, ready again once something was."""
        self.ails("speech", "" if error is None else str(error))

    def _path(self, name: str) -> Path:
        safe = "".join(character if character.isalnum() or character in "-_" else "_" for character in name)
        return self._folder / f"{safe[:100]}.wav"

    def _remember(self, exchange: str) -> None:
        self._over[exchange] = None
        while len(self._over) > REMEMBERED:
            self._over.popitem(last=False)


def _checked(path: str) -> Path | None:
    """The place a caller named, if any."""
    if not path:
        return None
    place = Path(path)
    if not place.is_absolute() or not place.parent.is_dir():
        raise BadRequest("is no absolute path in a directory that exists", place=path, remedy="give the whole path")
    return place


def _spoken(spoken: SpokenReply, exchange: str) -> Spoken:
    return Spoken(
        exchange=exchange,
        path=str(spoken.path),
        audio_s=spoken.audio_s,
        sentences=spoken.sentences,
        start_ns=spoken.start_ns,
        first_sound_ns=spoken.first_sound_ns,
        end_ns=spoken.end_ns,
    )


def _keep_newest(folder: Path, count: int) -> None:
    """Remove all but the newest replies."""
    written = sorted(folder.glob("*.wav"), key=lambda path: path.stat().st_mtime_ns)
    for path in written[:-count]:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


if __name__ == "__main__":
    run(Speaker)
