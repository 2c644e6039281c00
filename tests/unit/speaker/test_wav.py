import wave

import pytest

from nodes.speaker.errors import SpeakingError
from nodes.speaker.slots import Sound
from nodes.speaker.wav import GrowingWav

PIECES = [Sound(bytes(range(100)), 22050), Sound(bytes(50), 22050)]


def samples(path):
    with wave.open(str(path)) as file:
        return file.getframerate(), file.getnchannels(), file.readframes(file.getnframes())


def test_the_file_is_there_only_when_it_is_whole(tmp_path):
    growing = GrowingWav(tmp_path / "a.wav")
    for piece in PIECES:
        growing.append(piece)
    assert not growing.path.exists()
    growing.finish()
    growing.discard()
    assert samples(growing.path) == (22050, 1, bytes(range(100)) + bytes(50))
    assert growing.seconds == 75 / 22050
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_an_older_file_stays_until_the_new_one_is_whole(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"old")
    growing = GrowingWav(tmp_path / "a.wav")
    growing.append(PIECES[0])
    growing.discard()
    assert (tmp_path / "a.wav").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_a_reply_that_begins_anew_forgets_what_was_made_and_its_rate(tmp_path):
    growing = GrowingWav(tmp_path / "a.wav")
    growing.append(PIECES[0])
    growing.begin_anew()
    growing.append(Sound(b"\1\2", 16000))
    growing.finish()
    assert samples(growing.path) == (16000, 1, b"\1\2")


def test_two_rates_do_not_fit_into_one_file(tmp_path):
    growing = GrowingWav(tmp_path / "a.wav")
    growing.append(PIECES[0])
    with pytest.raises(SpeakingError, match="22050 samples a second, this sound 16000"):
        growing.append(Sound(b"\1\2", 16000))
    growing.discard()
