import numpy as np
import pytest

from nodes.audio_sensor.noise_floor import raise_floor


def speech(noise: float) -> np.ndarray:
    """A second of a loud tone between two halves of a pause, over noise."""
    random = np.random.default_rng(1)
    tone = np.where(np.arange(32000) // 8000 % 3 == 0, 0, 0.2 * np.sin(np.arange(32000) / 5))
    return (tone + random.normal(0, noise, 32000)).astype(np.float32)


def level_db(samples: np.ndarray) -> float:
    return 10 * np.log10((samples.astype(float) ** 2).mean())


def test_digital_silence_gets_noise_so_far_below_the_speech():
    raised = raise_floor(speech(0), 25)
    assert raised.dtype == np.float32
    assert level_db(raised[8000:24000]) - level_db(raised[:8000]) == pytest.approx(25, abs=2)


def test_a_noisy_room_stays_as_it_is():
    samples = speech(0.02)
    assert raise_floor(samples, 25) is samples


def test_the_same_samples_give_the_same_noise():
    assert np.array_equal(raise_floor(speech(0), 25), raise_floor(speech(0), 25))
    assert not np.array_equal(raise_floor(speech(0), 25), raise_floor(speech(0), 25, seed=1))


@pytest.mark.parametrize("length", [0, 100, 160])
def test_a_sound_too_short_for_a_level_does_no_harm(length):
    assert len(raise_floor(np.zeros(length, np.float32), 25)) == length
