import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.audio_sensor.resampling import Framer, Resampler

RATES = [8000, 11025, 16000, 22050, 44100, 48000, 96000]


def tone(frequency: float, rate: int, seconds: float) -> np.ndarray:
    return np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate).astype(np.float32)


def whole(signal: np.ndarray, rate: int, to: int = 16000) -> np.ndarray:
    resampler = Resampler(rate, to)
    return np.concatenate([resampler.feed(signal), resampler.flush()])


@pytest.mark.parametrize("rate", RATES)
def test_a_tone_stays_the_same_tone_at_the_same_time(rate):
    heard = whole(tone(1000, rate, 0.5), rate)
    assert len(heard) == 8000
    assert heard[200:-200] == pytest.approx(tone(1000, 16000, 0.5)[200:-200], abs=2e-3)


def test_silence_and_level_are_kept():
    assert whole(np.full(5000, 0.5, np.float32), 44100)[100:-100] == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize("frequency", [9000, 12000, 20000])
def test_what_the_lower_rate_cannot_carry_is_removed(frequency):
    heard = whole(tone(frequency, 48000, 0.5), 48000)
    assert np.sqrt((heard[200:-200] ** 2).mean()) < 1e-3


@settings(max_examples=30, deadline=None)
@given(rate=st.sampled_from(RATES), cuts=st.lists(st.integers(0, 3000), max_size=8), seed=st.integers(0, 9))
def test_where_the_input_is_cut_makes_no_difference(rate, cuts, seed):
    signal = np.random.default_rng(seed).normal(0, 0.1, 3000).astype(np.float32)
    resampler = Resampler(rate, 16000)
    pieces = [resampler.feed(part) for part in np.split(signal, sorted(cuts))]
    assert np.concatenate([*pieces, resampler.flush()]) == pytest.approx(whole(signal, rate), abs=1e-6)


@settings(deadline=None)
@given(lengths=st.lists(st.integers(0, 40), max_size=20))
def test_frames_hold_all_samples_in_order(lengths):
    framer = Framer(16)
    samples = np.arange(sum(lengths), dtype=np.float32)
    frames = [frame for part in np.split(samples, np.cumsum(lengths)) for frame in framer.feed(part)]
    frames += framer.flush()
    assert all(frame.shape == (16,) for frame in frames)
    joined = np.concatenate([*frames, np.zeros(0)])
    assert joined[: len(samples)].tolist() == samples.tolist()
    assert not joined[len(samples) :].any()
    assert len(joined) - len(samples) < 16
