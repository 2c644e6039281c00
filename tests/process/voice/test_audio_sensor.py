"""The ears as a process: a WAV file goes in, words come out as parts and as events."""

import asyncio
from pathlib import Path

import msgspec
import pytest
import yaml

from nodes.audio_sensor.sources import Recording
from nodes.speaker.slots import Sound
from nodes.speaker.wav import GrowingWav
from protocol.errors import BadRequest, SageError
from protocol.messages.audio import Hear, Heard, Utterance
from protocol.messages.node import NodeState
from tests.fabric import PATIENCE_S, fabric
from tests.unit.audio_sensor.voice import needs_sphinx, needs_vad, needs_voice, with_pauses, write_spoken

NAME = "audio_sensor"
MODULE = "nodes.audio_sensor.node"
PHRASES = ["what time is it", "how are you today", "turn on the lamp in the kitchen", "where does the umbrella belong"]

pytestmark = [needs_vad, needs_sphinx, needs_voice]


@pytest.fixture
async def system(tmp_path):
    config = tmp_path / "voice.yaml"
    config.write_text(yaml.safe_dump({"hearing": {"recognition": {"phrases": PHRASES}}}))
    async with fabric() as made:
        made.params = {"config": str(config)}
        yield made


def conversation(path: Path, *texts: str) -> Path:
    """A recording of several utterances with pauses between, at 16 kHz."""
    import numpy as np

    said = [
        np.concatenate(list(Recording(write_spoken(path.with_name(f"{number}.wav"), text)).frames()))
        for number, text in enumerate(texts)
    ]
    growing = GrowingWav(path)
    growing.append(Sound((with_pauses(*said) * 32767).astype("<i2").tobytes(), 16000))
    growing.finish()
    return path


async def hear(system, **request) -> tuple[list[Utterance], Heard]:
    async with system.client.stream(NAME, Hear(**request), deadline=PATIENCE_S) as stream:
        utterances = [part async for part in stream]
        return utterances, stream.reply


async def test_what_is_said_in_a_file_is_understood_and_told_of_in_order(system, tmp_path):
    await system.node(MODULE, NAME, system.params)
    path = conversation(tmp_path / "said.wav", PHRASES[0], PHRASES[2], PHRASES[3])
    async with system.client.events("audio/") as events:
        utterances, heard = await hear(system, path=str(path), session="s1")
        said = []
        async with asyncio.timeout(PATIENCE_S):
            while len(said) < 9:
                said.append((await anext(events)).body)
    assert [one.text for one in utterances] == [PHRASES[0], PHRASES[2], PHRASES[3]]
    assert [one.utterance for one in utterances] == [1, 2, 3]
    assert {(one.session, one.source) for one in utterances} == {("s1", "said.wav")}
    assert all(one.accepted_by in {"grammar", "free"} and 0 < one.confidence <= 1 for one in utterances)
    assert all([stage.name for stage in one.stages] == ["endpoint", "transcribe"] for one in utterances)
    assert all(one.begin_s < one.end_s < heard.audio_s for one in utterances)
    assert heard.utterances == 3
    assert [one for one in said if isinstance(one, Utterance)] == utterances
    speaking = [(one.speaking, one.utterance) for one in said if not isinstance(one, Utterance)]
    assert speaking == [(True, 1), (False, 1), (True, 2), (False, 2), (True, 3), (False, 3)]


async def test_a_file_at_real_pace_takes_its_time_and_can_be_only_listened_to(system, tmp_path):
    await system.node(MODULE, NAME, system.params)
    path = conversation(tmp_path / "said.wav", PHRASES[0])
    async with system.client.events("audio/") as events:
        (utterance,), heard = await hear(system, path=str(path), pace="real", publish=False)
        await hear(system, path=str(path))
        first = (await anext(events)).body
    assert utterance.text == PHRASES[0]
    assert heard.seconds >= heard.audio_s - 0.1, "the last frames need not be waited for"
    assert (first.speaking, first.at_s) == (True, utterance.begin_s), "nothing was said of the first hearing"


async def test_nonsense_is_refused_by_name_and_the_ears_go_on(system, tmp_path):
    await system.node(MODULE, NAME, system.params)
    (tmp_path / "text.wav").write_text("no sound at all")
    for request, why in (
        ({"path": str(tmp_path / "nothing.wav")}, "No such file"),
        ({"path": str(tmp_path / "text.wav")}, "no WAV file"),
        ({"path": "said.wav"}, "relative path"),
    ):
        with pytest.raises(SageError, match=why) as refused:
            await hear(system, **request)
        assert refused.value.remedy
    with pytest.raises(BadRequest, match="'slow' is not one of real, fast"):
        await hear(system, path="/x.wav", pace="slow")
    path = conversation(tmp_path / "said.wav", PHRASES[1])
    assert [one.text for one in (await hear(system, path=str(path)))[0]] == [PHRASES[1]]


async def test_many_recordings_at_once_are_heard_one_after_another(system, tmp_path):
    await system.node(MODULE, NAME, system.params)
    paths = [conversation(tmp_path / f"said{n}.wav", PHRASES[n]) for n in range(4)]
    heard = await asyncio.gather(*(hear(system, path=str(path)) for path in paths))
    assert [utterance.text for (utterance,), _ in heard] == PHRASES


async def test_ears_that_know_no_word_say_so_and_what_to_do(system, tmp_path):
    config = tmp_path / "strange.yaml"
    config.write_text("hearing: {recognition: {phrases: [blorf the gnarf]}}")
    record = await system.node(MODULE, NAME, {"config": str(config)})
    assert record.state is NodeState.DEGRADED
    assert "blorf, gnarf" in record.reason
    path = conversation(tmp_path / "said.wav", PHRASES[0])
    with pytest.raises(SageError, match="blorf, gnarf"):
        await hear(system, path=str(path))


async def test_the_ears_stop_in_the_middle_of_a_recording(system, tmp_path):
    await system.node(MODULE, NAME, system.params)
    path = conversation(tmp_path / "said.wav", *PHRASES)
    async with system.client.events("audio/speech") as events:
        hearing = asyncio.create_task(hear(system, path=str(path), pace="real"))
        await anext(events)
        assert await system.end(NAME) == 0
        with pytest.raises(SageError):
            await hearing


def test_params_are_few_and_strict():
    from nodes.audio_sensor.node import AudioSensor

    assert msgspec.json.decode(b"{}", type=AudioSensor.Params) == AudioSensor.Params(config="", preload=True)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"prelaod": true}', type=AudioSensor.Params)
