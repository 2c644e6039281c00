"""The listener with parts made of paper: frames carry their own probability, and words are looked up."""

import numpy as np
import pytest

from nodes.audio_sensor.listening import Listener, SpeechBegan, SpeechEnded, Understood, loudness
from nodes.audio_sensor.slots import FRAME, FRAME_S, Readiness, Transcript
from nodes.audio_sensor.utterances import Endpointing, Segmenter


class PaperActivity:
    """The first sample of a frame is its probability."""

    resets = 0

    def probe(self):
        return Readiness(True, "paper")

    def probability(self, frame):
        return float(frame[0])

    def reset(self):
        self.resets += 1


class PaperRecogniser:
    """Its words are how many voiced frames it was given; from `commands` on, they are a command."""

    def __init__(self, commands=()):
        self.commands = commands
        self.sounds = []

    def probe(self):
        return Readiness(True, "paper")

    def transcribe(self, samples):
        self.sounds.append(samples)
        voiced = self._voiced(samples)
        if voiced in self.commands:
            return Transcript(f"do {voiced}", 0.9, "grammar", command=True)
        return Transcript(f"{voiced} frames", 0.8, "free")

    def _voiced(self, samples):
        return int((samples.reshape(-1, FRAME)[:, 0] > 0.5).sum())


def frames(*spans):
    return [np.full(FRAME, 0.75 if at % 2 else 0.0, np.float32) for at, span in enumerate(spans) for _ in range(span)]


@pytest.fixture
def listen():
    def listen(sound, commands=(), **endpointing):
        ticks = iter(range(0, 10**9, 10))
        recogniser = PaperRecogniser(commands)
        made = Listener(PaperActivity(), recogniser, Segmenter(Endpointing(**endpointing)), lambda: next(ticks))
        noticed = made.feed(sound, [1000 * (at + 1) for at in range(len(sound))]) + made.finish()
        return noticed, made, recogniser

    return listen


def test_an_utterance_begins_ends_and_is_understood(listen):
    (began, ended, understood), made, _ = listen(frames(20, 20, 30))
    assert began == SpeechBegan(1, pytest.approx(12 * FRAME_S))
    assert ended == SpeechEnded(1, pytest.approx(40 * FRAME_S))
    assert understood.transcript == Transcript("20 frames", 0.8, "free")
    assert understood.speech_end_ns == 40_000, "when the last voiced frame was there"
    assert (understood.begin_s, understood.end_s) == (began.at_s, ended.at_s)
    assert (made.counts.utterances, made.counts.decodes, made.counts.wasted_decodes) == (1, 1, 0)


def test_a_command_is_understood_before_the_long_pause(listen):
    (_, _, understood), made, recogniser = listen(frames(20, 20, 6), commands={20})
    assert understood.transcript.accepted_by == "grammar"
    assert (made.counts.commands, made.counts.wasted_decodes, len(recogniser.sounds)) == (1, 0, 1)


def test_what_was_decoded_in_a_breath_is_decoded_anew_when_more_came(listen):
    noticed, made, recogniser = listen(frames(20, 20, 8, 15, 30))
    assert [one.transcript.text for one in noticed if isinstance(one, Understood)] == ["35 frames"]
    assert len(recogniser.sounds) == 2
    assert made.counts.wasted_decodes == 1


def test_a_command_that_goes_on_after_a_breath_longer_than_the_pause_is_two_utterances(listen):
    noticed, _, _ = listen(frames(20, 20, 8, 15, 30), commands={20})
    assert [one.transcript.text for one in noticed if isinstance(one, Understood)] == ["do 20", "15 frames"]


def test_a_cough_is_told_of_and_not_decoded(listen):
    noticed, made, recogniser = listen(frames(20, 4, 30))
    assert [type(one) for one in noticed] == [SpeechBegan, SpeechEnded]
    assert (made.counts.dropped, recogniser.sounds) == (1, [])


def test_a_recording_that_ends_in_speech_is_understood(listen):
    noticed, _, _ = listen(frames(20, 20))
    assert noticed[-1].transcript.text == "20 frames"


def test_a_long_speech_comes_in_pieces_and_no_frame_is_lost(listen):
    noticed, made, _ = listen(frames(20, 250, 30), longest=100, split_search=20)
    texts = [one.transcript.text for one in noticed if isinstance(one, Understood)]
    assert sum(int(text.split()[0]) for text in texts) == 250
    assert made.counts.split == len(texts) - 1 == 2


def test_audio_that_nobody_needs_is_forgotten(listen):
    _, made, _ = listen(frames(5000))
    assert len(made._kept) < 20


def test_loudness_is_told_in_decibels_against_full_scale():
    assert loudness(np.ones(100, np.float32)) == pytest.approx(0.0)
    assert loudness(np.full(100, -0.1, np.float32)) == pytest.approx(-20.0, abs=1e-4)
    assert loudness(np.zeros(100, np.float32)) == -120.0
