"""The sense of context as it ships, put to the traps and to dialogues of the tuning half."""

import pytest

from experiments.context import paraphrases
from experiments.context.dialogues import Dialogue, dialogues
from experiments.context.split import Side
from experiments.context.trial import seen, traps
from experiments.context.verdict import verdict
from nodes.context_classifier import config, encoder
from nodes.context_classifier.classify import Questions, classify
from protocol.messages.context import Context

SETTINGS = config.load()
ENCODER = encoder.chosen(SETTINGS.encoder)


def told(dialogue: Dialogue, *, warm: bool) -> Context:
    return classify(seen(dialogue, ENCODER, SETTINGS.limits, warm=warm), SETTINGS.questions).context


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
def test_every_trap_is_told_right(warm: bool) -> None:
    wrong = {f"{one.said}: {one.plant}" for one in traps() if told(one, warm=warm) is not one.label}
    assert not wrong


def test_dialogues_of_the_tuning_half_are_told_as_well_as_they_were_when_it_was_fitted() -> None:
    set_ = dialogues(Side.TUNING, 9, 112)
    found = [told(one, warm=bool(number % 2)) for number, one in enumerate(set_)]
    assert verdict([one.label for one in set_], found)["macro_f1"] > 0.9


def test_wordings_that_share_no_subject_are_nearer_if_they_ask_the_same() -> None:
    assert paraphrases.area(ENCODER, Side.TUNING, 1)["area"] > 0.97
    assert paraphrases.area(encoder.Hashed(), Side.TUNING, 1)["area"] < 0.92


def test_the_weights_in_the_configuration_are_the_ones_in_the_code() -> None:
    assert SETTINGS.questions == Questions()
