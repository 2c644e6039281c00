import importlib.util

import numpy as np
import pytest

from nodes.audio_sensor.artefacts import Vocabulary
from nodes.audio_sensor.errors import PartMissing, UnknownWords
from nodes.audio_sensor.slots import Transcript
from nodes.audio_sensor.sphinx import Sphinx
from tests.unit.audio_sensor.voice import needs_sphinx, needs_voice, spoken, with_pauses

COMMANDS = (
    "what time is it",
    "tell me the time",
    "good morning",
    "thank you very much",
    "say that again",
    "go to sleep",
)
ROOMS = ("kitchen", "bathroom", "garage", "garden", "bedroom", "library")
THINGS = ("lamp", "mirror", "umbrella", "guitar", "camera", "blanket", "candle", "radio")
TEXTS = tuple(
    text
    for thing in THINGS
    for room in ROOMS
    for text in (
        f"where does the {thing} belong",
        f"the {thing} is in the {room}",
        f"turn off the {thing} in the {room}",
    )
)
VOICES = ["en-us", "en-us+f2", "en-us+f5"]

pytestmark = [needs_sphinx, needs_voice]


@pytest.fixture(scope="module")
def sphinx(tmp_path_factory):
    return Sphinx(Vocabulary(COMMANDS, TEXTS), tmp_path_factory.mktemp("voice"))


def sound(text, voice="en-us"):
    return with_pauses(spoken(text, voice), seconds=0.25)


@pytest.mark.parametrize("voice", VOICES)
def test_commands_are_understood_and_known_to_be_whole(sphinx, voice):
    heard = {command: sphinx.transcribe(sound(command, voice)) for command in COMMANDS}
    right = [one for command, one in heard.items() if one.text == command]
    assert len(right) >= len(COMMANDS) - 1
    assert all(one.command and 0 < one.confidence <= 1 for one in right)
    assert {one.accepted_by for one in right} >= {"grammar"}


@pytest.mark.parametrize("voice", VOICES)
def test_no_open_sentence_is_taken_for_a_command(sphinx, voice):
    heard = {text: sphinx.transcribe(sound(text, voice)) for text in TEXTS[::20]}
    assert [(text, one) for text, one in heard.items() if one.command] == []
    assert {one.accepted_by for one in heard.values()} == {"free"}


def test_what_is_said_freely_is_understood(sphinx):
    said = TEXTS[::16]
    heard = [sphinx.transcribe(sound(text)) for text in said]
    assert sum(one.text == text for one, text in zip(heard, said, strict=True)) >= len(said) - 1
    assert all(0 < one.confidence <= 1 for one in heard)


def test_what_was_heard_before_does_not_change_what_is_heard(sphinx):
    question = sound("the umbrella is in the library")
    alone = sphinx.transcribe(question)
    sphinx.transcribe(np.random.default_rng(1).normal(0, 0.2, 16000).astype(np.float32))
    sphinx.transcribe(sound("go to sleep", "en-gb"))
    assert sphinx.transcribe(question) == alone


@pytest.mark.parametrize("samples", [0, 100, 16000])
def test_silence_is_no_word(sphinx, samples):
    assert sphinx.transcribe(np.zeros(samples, np.float32)) == Transcript("", 0.0, "free")


def test_without_commands_everything_is_free_speech(tmp_path):
    sphinx = Sphinx(Vocabulary(texts=TEXTS), tmp_path)
    heard = sphinx.transcribe(sound(TEXTS[0]))
    assert (heard.text, heard.command) == (TEXTS[0], False)


def test_a_word_without_pronunciation_is_named(tmp_path):
    with pytest.raises(UnknownWords, match="blorf"):
        Sphinx(Vocabulary(("blorf",)), tmp_path)
    heard = Sphinx(Vocabulary(("good blorf",), TEXTS, {"blorf": "B L AO R F"}), tmp_path)
    assert heard.probe().ready


def test_a_missing_package_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    readiness = Sphinx.probe()
    assert (readiness.ready, readiness.remedy) == (False, "pip install pocketsphinx")
    with pytest.raises(PartMissing, match="not installed"):
        Sphinx(Vocabulary(("stop",)), tmp_path)
