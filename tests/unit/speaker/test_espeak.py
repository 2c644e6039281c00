import os
import shutil
import sys
from contextlib import aclosing

import pytest

from nodes.speaker.errors import SynthesiserMissing, SynthesisFailed
from nodes.speaker.espeak import Espeak

needs_voice = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs espeak-ng: apt-get install espeak-ng")


async def sounds(voice, text):
    return [sound async for sound in voice.speak(text)]


@pytest.fixture
def impostor(tmp_path):
    """A program in espeak-ng's place that does what the test says."""

    def impostor(body, patience_s=30.0):
        path = tmp_path / "voice"
        path.write_text(f"#!{sys.executable}\nimport sys, os, time\n{body}\n")
        path.chmod(0o700)
        return Espeak("en-us", 150, patience_s, str(path))

    return impostor


@needs_voice
async def test_a_sentence_becomes_sound_at_the_rate_of_the_voice():
    made = await sounds(Espeak("en-us", 150, 30), "the lamp in the kitchen is on.")
    assert {sound.rate for sound in made} == {22050}
    assert 1 < sum(sound.seconds for sound in made) < 5
    assert any(any(sound.pcm) for sound in made)


@needs_voice
async def test_what_looks_like_an_option_or_markup_is_only_text():
    assert await sounds(Espeak("en-us", 150, 30), "--help <b> $(true) é")


@needs_voice
async def test_a_voice_that_is_not_there_is_named():
    with pytest.raises(SynthesisFailed, match="voice does not exist") as refused:
        await sounds(Espeak("nobody", 150, 30), "hello")
    assert "--voices" in refused.value.remedy


async def test_a_missing_program_says_how_to_get_it():
    voice = Espeak("en-us", 150, 30, "no-such-voice")
    assert voice.probe().remedy == "apt-get install espeak-ng"
    with pytest.raises(SynthesiserMissing, match="not installed") as refused:
        await sounds(voice, "hello")
    assert refused.value.remedy == "apt-get install espeak-ng"


async def test_a_voice_that_hangs_is_ended(impostor):
    with pytest.raises(SynthesisFailed, match="made no sound"):
        await sounds(impostor("time.sleep(600)", patience_s=0.2), "hello")


async def test_a_voice_that_crashes_in_the_middle_says_so(impostor):
    crashing = impostor("sys.stdout.buffer.write(bytes(24) + (8000).to_bytes(4, 'little') + bytes(20)); sys.exit(3)")
    with pytest.raises(SynthesisFailed, match="status 3"):
        await sounds(crashing, "hello")


async def test_samples_stay_whole_however_they_arrive(impostor):
    dripping = impostor(
        "out = sys.stdout.buffer; out.write(bytes(24) + (8000).to_bytes(4, 'little') + bytes(16))\n"
        "for n in range(10): out.write(bytes([n])); out.flush()"
    )
    made = await sounds(dripping, "hello")
    assert b"".join(sound.pcm for sound in made) == bytes(range(10))
    assert all(len(sound.pcm) % 2 == 0 for sound in made)


async def test_closing_the_sound_ends_the_program(impostor, tmp_path):
    endless = impostor(
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
        "while True: sys.stdout.buffer.write(bytes(4096))"
    )
    async with aclosing(endless.speak("hello")) as made:
        async for _ in made:
            break
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
