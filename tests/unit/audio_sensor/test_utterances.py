from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.audio_sensor.utterances import Began, Dropped, Ended, Endpointing, Paused, Segment, Segmenter, frames

SETTINGS = Endpointing()


def run(probabilities, settings=SETTINGS, *, accept=False):
    """All boundaries; with `accept`, every pause ends a command."""
    segmenter = Segmenter(settings)
    found = []
    for probability in probabilities:
        for boundary in segmenter.feed(probability):
            found.append(boundary)
            if accept and isinstance(boundary, Paused):
                segmenter.accept()
                found.append(Ended(boundary.segment))
    return found + segmenter.finish()


def speech(*spans):
    """Alternating numbers of silent and voiced frames."""
    return [0.9 if at % 2 else 0.01 for at, span in enumerate(spans) for _ in range(span)]


def test_speech_has_preroll_and_a_tail_and_is_told_of_in_order():
    pause = Paused(Segment(1, 12, 46, 39))
    assert run(speech(20, 20, 20)) == [Began(1, 12), pause, Ended(Segment(1, 12, 46, 39))]


def test_a_command_ends_at_the_short_pause():
    segmenter = Segmenter()
    told = [segmenter.feed(p) for p in speech(20, 20, 6)]
    assert told[-1] == [Paused(Segment(1, 12, 46, 39))]
    segmenter.accept()
    assert segmenter.finish() == []
    assert segmenter.frame == 46


def test_what_was_decoded_at_the_pause_is_what_the_end_holds():
    *_, paused, ended = run(speech(20, 20, 40))
    assert paused.segment == ended.segment


def test_a_breath_does_not_end_an_utterance():
    boundaries = run(speech(20, 20, 10, 20, 20))
    assert [type(one) for one in boundaries] == [Began, Paused, Paused, Ended]
    assert boundaries[-1].segment == Segment(1, 12, 76, 69)


def test_between_the_two_thresholds_speech_goes_on_but_does_not_begin():
    assert run([0.4] * 100) == []
    assert isinstance(run([0.01] * 20 + [0.9] * 10 + [0.4] * 100 + [0.01] * 20)[-1], Ended)


def test_a_click_begins_nothing_and_a_short_sound_is_dropped():
    assert run(speech(20, 2, 20)) == []
    assert run(speech(20, 4, 20)) == [Began(1, 12), Dropped(Segment(1, 12, 30, 23))]


def test_the_end_of_the_recording_ends_the_utterance():
    assert run(speech(20, 20))[-1] == Ended(Segment(1, 12, 40, 39))


def test_utterances_do_not_share_frames():
    first, second = (one.segment for one in run(speech(20, 20, 9, 20, 20), accept=True) if isinstance(one, Ended))
    assert first == Segment(1, 12, 46, 39)
    assert second.first == 46


def test_a_long_one_is_cut_at_its_quietest_frame_and_loses_nothing():
    settings = Endpointing(longest=100, split_search=30)
    probabilities = speech(20, 130, 20)
    probabilities[95] = 0.36
    boundaries = run(probabilities, settings)
    assert boundaries[1:4] == [
        Ended(Segment(1, 12, 96, 95), split=True),
        Began(2, 96),
        Paused(Segment(2, 96, 156, 149)),
    ]


def test_the_rest_of_a_cut_utterance_is_kept_however_short():
    settings = Endpointing(longest=100, split_search=30)
    probabilities = speech(20, 94, 20)  # two voiced frames are left behind the cut
    probabilities[111] = 0.36
    ended = [one for one in run(probabilities, settings) if isinstance(one, Ended)]
    assert [one.segment for one in ended] == [Segment(1, 12, 112, 111), Segment(2, 112, 120, 113)]


def test_nobody_speaking_nothing_to_accept():
    with pytest.raises(ValueError, match="no utterance"):
        Segmenter().accept()


def test_durations_become_frames():
    assert [frames(seconds) for seconds in (0.0, 0.2, 0.256, 0.5, 30)] == [1, 6, 8, 16, 938]


@settings(deadline=None)
@given(
    probabilities=st.lists(st.sampled_from([0.0, 0.1, 0.36, 0.5, 0.9, 1.0]), max_size=300),
    longest=st.integers(40, 80),
    accept=st.booleans(),
)
def test_segments_are_ordered_disjoint_bounded_and_hold_all_voiced_frames(probabilities, longest, accept):
    settings = Endpointing(longest=longest, split_search=20)
    boundaries = run(probabilities, settings, accept=accept)
    segments = [one.segment for one in boundaries if isinstance(one, Ended | Dropped)]
    assert [one.number for one in segments] == list(range(1, len(segments) + 1))
    assert [one.number for one in boundaries if isinstance(one, Began)] == [one.number for one in segments]
    for before, after in pairwise(segments):
        assert before.stop <= after.first
    for segment in segments:
        assert 0 <= segment.first <= segment.stop <= len(probabilities)
        assert segment.stop - segment.first <= longest + settings.short_pause
    inside = {at for one in segments for at in range(one.first, one.stop)}
    run_of_three = [at for at in range(2, len(probabilities)) if min(probabilities[at - 2 : at + 1]) >= 0.5]
    assert inside.issuperset(run_of_three)


@settings(deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.36, 0.9]), max_size=200))
def test_audio_that_may_still_be_asked_for_is_never_declared_needless(probabilities):
    segmenter = Segmenter(Endpointing(longest=60, split_search=20))
    needless_before = 0
    for probability in probabilities:
        for boundary in segmenter.feed(probability):
            first = boundary.first if isinstance(boundary, Began) else boundary.segment.first
            assert first >= needless_before
        needless_before = segmenter.needed_from
        assert needless_before <= segmenter.frame
