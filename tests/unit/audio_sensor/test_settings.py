import pytest

from nodes.audio_sensor import settings
from nodes.audio_sensor.utterances import Endpointing
from nodes.speaker import settings as speaker_settings
from protocol.errors import ConfigError
from runtime import plugins


def test_the_file_that_ships_says_what_the_code_would():
    assert settings.load() == settings.Hearing()
    assert settings.load().recognition.for_sphinx() == settings.SphinxSettings()
    assert speaker_settings.load() == speaker_settings.Speaking()


def test_durations_become_the_frames_of_the_state_machine():
    counted = settings.Hearing().endpoint.in_frames()
    assert counted == Endpointing(longest=938)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("hearing: {endpoint: {start: 1.5}}", "hearing.endpoint.start"),
        ("hearing: {endpoint: {start_frames: 6}}", "start_frames cannot exceed"),
        ("hearing: {endpoint: {end: 0.6}}", "end cannot exceed start"),
        ("hearing: {endpoint: {pause: 100ms}}", "shorter than pause"),
        ("hearing: {endpoint: {longest: 4s}}", "shorter than longest"),
        ("hearing: {endpoint: {pause: 500}}", "500ms|with its unit"),
        ("hearing: {recognition: {densties: 4}}", "did you mean 'densities'"),
    ],
)
def test_nonsense_is_named_with_its_place(tmp_path, text, why):
    path = tmp_path / "voice.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=why) as refused:
        settings.load(path)
    assert "voice.yaml:1" in str(refused.value)


def test_what_may_be_said_comes_from_the_file_and_from_packages(monkeypatch):
    provided = {
        settings.PHRASES: {"patterns": lambda: ["stop"]},
        settings.TEXTS: {"curriculum": lambda: iter(["open the door"])},
    }
    monkeypatch.setattr(plugins, "load_all", provided.get)
    vocabulary = settings.vocabulary(settings.Recognition(phrases=("wake up",), pronunciations={"sage": "S EY JH"}))
    assert vocabulary.phrases == ("wake up", "stop")
    assert vocabulary.texts == ("open the door",)
    assert vocabulary.pronunciations == {"sage": "S EY JH"}
