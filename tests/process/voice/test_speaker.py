"""The voice as a process: replies go in part by part, WAV files come out."""

import asyncio
import wave
from pathlib import Path

import pytest

from protocol.errors import BadRequest, SageError
from protocol.messages.dialogue import ExchangeCompleted, ReplyCompleted, ReplyPart
from protocol.messages.node import NodeState
from protocol.messages.speech import Said, Say, Spoken
from tests.fabric import PATIENCE_S, fabric
from tests.unit.audio_sensor.voice import needs_voice

NAME = "speaker"
MODULE = "nodes.speaker.node"


@pytest.fixture
async def system():
    async with fabric() as made:
        yield made


@pytest.fixture
async def speaker(system):
    await system.node(MODULE, NAME)
    return system


async def say(system, text, **fields) -> Said:
    return await system.client.call(NAME, Say(text=text, **fields), deadline=PATIENCE_S)


def part(index: int, text: str, exchange: str = "x1", **fields) -> ReplyPart:
    return ReplyPart(exchange=exchange, session="s", index=index, text=text, speak=True, **fields)


def completed(text: str, parts: int, exchange: str = "x1") -> ReplyCompleted:
    return ReplyCompleted(exchange=exchange, session="s", text=text, parts=parts, speak=True)


async def next_spoken(events) -> Spoken:
    async with asyncio.timeout(PATIENCE_S):
        return (await anext(events)).body


def seconds(path: str) -> float:
    with wave.open(path) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return file.getnframes() / file.getframerate()


@needs_voice
async def test_a_text_becomes_a_file_where_the_caller_wants_it(speaker, tmp_path):
    said = await say(speaker, "Hello. It is 5 o'clock.", path=str(tmp_path / "hello.wav"))
    assert said.path == str(tmp_path / "hello.wav")
    assert seconds(said.path) == pytest.approx(said.audio_s)
    assert 0 < said.first_sound_s <= said.seconds
    own = await say(speaker, "Hello.")
    assert Path(own.path).parent.parent == speaker.run_dir / "spoken"
    assert seconds(own.path) < said.audio_s


@needs_voice
async def test_a_reply_is_spoken_while_it_is_made(speaker):
    async with speaker.client.events("speech/spoken") as events:
        for index, text in enumerate(("Hello th", "ere. It is", " late.")):
            speaker.client.publish(part(index, text))
        speaker.client.publish(completed("Hello there. It is late.", 3))
        spoken = await next_spoken(events)
    assert (spoken.exchange, spoken.sentences) == ("x1", 2)
    assert seconds(spoken.path) == pytest.approx(spoken.audio_s)
    assert spoken.start_ns < spoken.first_sound_ns < spoken.end_ns


@needs_voice
async def test_two_replies_at_once_do_not_mix_and_late_parts_begin_nothing(speaker):
    async with speaker.client.events("speech/spoken") as events:
        speaker.client.publish(part(0, "One. ", "a"))
        speaker.client.publish(part(0, "A very much longer second reply. ", "b"))
        speaker.client.publish(completed("One.", 1, "a"))
        speaker.client.publish(completed("A very much longer second reply.", 1, "b"))
        replies = {one.exchange: one for one in (await next_spoken(events), await next_spoken(events))}
        speaker.client.publish(part(1, "Too late. ", "a"))
        speaker.client.publish(completed("Three.", 1, "c"))
        assert (await next_spoken(events)).exchange == "c"
    assert {exchange: one.sentences for exchange, one in replies.items()} == {"a": 1, "b": 1}
    assert replies["a"].audio_s < replies["b"].audio_s


@needs_voice
async def test_of_a_failed_exchange_what_there_is_is_spoken_and_silent_ones_are_not(speaker):
    async with speaker.client.events("speech/spoken") as events:
        speaker.client.publish(ReplyPart(exchange="silent", session="s", index=0, text="Nobody asked. ", speak=False))
        speaker.client.publish(part(0, "It is fi. "))
        speaker.client.publish(part(1, "and"))
        while "x1.wav" not in str(list((speaker.run_dir / "spoken" / NAME).iterdir())):
            await asyncio.sleep(0.01)
        speaker.client.publish(ExchangeCompleted(answer=None, exchange="x1", session="s", error="the worker died"))
        spoken = await next_spoken(events)
    assert spoken.exchange == "x1"
    assert spoken.sentences >= 1


@needs_voice
async def test_only_the_newest_replies_are_kept(system, tmp_path):
    config = tmp_path / "voice.yaml"
    config.write_text("speaking: {keep: 2}")
    await system.node(MODULE, NAME, {"config": str(config)})
    paths = [(await say(system, text)).path for text in ("one", "two", "three")]
    assert [Path(path).exists() for path in paths] == [False, True, True]


@needs_voice
async def test_nonsense_is_refused_by_name(speaker, tmp_path):
    for request, error, why in (
        (Say(text="..."), SageError, "no sentence"),
        (Say(text="hello", path="hello.wav"), BadRequest, "no absolute path"),
        (Say(text="hello", path=str(tmp_path / "nowhere" / "a.wav")), BadRequest, "directory that exists"),
    ):
        with pytest.raises(error, match=why):
            await speaker.client.call(NAME, request, deadline=PATIENCE_S)
    assert (await say(speaker, "Hello.")).audio_s > 0


async def test_without_a_synthesiser_the_voice_says_what_to_install(system, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    record = await system.node(MODULE, NAME)
    assert record.state is NodeState.DEGRADED
    assert "apt-get install espeak-ng" in record.reason
    with pytest.raises(SageError, match="not installed"):
        await say(system, "Hello.")
