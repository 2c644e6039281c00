"""A reply with a voice made of paper: each letter of a sentence is a sample."""

import asyncio
import itertools
import wave

import pytest

from nodes.speaker.errors import NothingToSay, SynthesisFailed
from nodes.speaker.reply import Reply
from nodes.speaker.script import Lines
from nodes.speaker.slots import Readiness, Sound


class PaperVoice:
    def __init__(self):
        self.said = []
        self.held = asyncio.Event()
        self.held.set()

    def probe(self):
        return Readiness(True, "paper")

    async def speak(self, sentence):
        self.said.append(sentence)
        if sentence == "crash.":
            raise SynthesisFailed("it crashed")
        for letter in sentence:
            yield Sound(letter.encode("utf-16-le"), 16000)
            await self.held.wait()


@pytest.fixture
def voice():
    return PaperVoice()


@pytest.fixture
def reply(voice, tmp_path):
    ticks = itertools.count(1)
    return Reply(tmp_path / "reply.wav", voice, lambda: next(ticks))


def written(path):
    with wave.open(str(path)) as file:
        return file.readframes(file.getnframes()).decode("utf-16-le")


async def test_the_first_sentence_is_spoken_while_the_second_is_still_coming(reply, voice):
    speaking = asyncio.create_task(reply.speak())
    reply.say(Lines(["one."]))
    while voice.said != ["one."]:
        await asyncio.sleep(0)
    assert not speaking.done()
    reply.say(Lines(["5 km."]))
    reply.close()
    spoken = await speaking
    assert written(spoken.path) == "one.5 kilometres."
    assert (spoken.sentences, spoken.audio_s) == (2, 17 / 16000)
    assert spoken.start_ns < spoken.first_sound_ns < spoken.end_ns


async def test_a_withdrawn_beginning_is_not_in_the_file(reply, voice):
    voice.held.clear()
    speaking = asyncio.create_task(reply.speak())
    reply.say(Lines(["wrong.", "very wrong."]))
    while not voice.said:
        await asyncio.sleep(0)
    reply.say(Lines(["right."], anew=True))
    voice.held.set()
    reply.close()
    spoken = await speaking
    assert (written(spoken.path), spoken.sentences) == ("right.", 1)
    assert voice.said == ["wrong.", "right."]


@pytest.mark.parametrize("lines", [[], [Lines(["wrong."]), Lines([], anew=True)]])
async def test_a_reply_without_a_word_leaves_no_file(reply, lines, tmp_path):
    for one in lines:
        reply.say(one)
    reply.close()
    with pytest.raises(NothingToSay):
        await reply.speak()
    assert list(tmp_path.iterdir()) == []


async def test_a_failed_sentence_leaves_no_file(reply, tmp_path):
    reply.say(Lines(["one.", "crash.", "three."]))
    reply.close()
    with pytest.raises(SynthesisFailed):
        await reply.speak()
    assert list(tmp_path.iterdir()) == []


async def test_a_reply_given_up_leaves_no_file(reply, voice, tmp_path):
    speaking = asyncio.create_task(reply.speak())
    reply.say(Lines(["one."]))
    while not voice.said:
        await asyncio.sleep(0)
    speaking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await speaking
    assert list(tmp_path.iterdir()) == []
