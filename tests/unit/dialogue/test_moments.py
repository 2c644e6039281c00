import pytest

from nodes.dialogue.config import Checkpoints
from nodes.dialogue.moments import why
from protocol.messages.context import ExchangeScored, Snarc

SETTINGS = Checkpoints(salience=0.8, novelty=0.9)


@pytest.mark.parametrize(
    ("snarc", "reason"),
    [
        (Snarc(salience=0.8), "it mattered: salience 0.80"),
        (Snarc(salience=0.5, novelty=0.95), "another topic: novelty 0.95"),
        (Snarc(salience=0.79, novelty=0.89), ""),
    ],
)
def test_what_matters_and_what_is_new_is_a_moment(snarc: Snarc, reason: str) -> None:
    assert why(ExchangeScored(exchange="e", snarc=snarc), SETTINGS) == reason


def test_what_is_learned_later_and_what_nobody_remembers_is_none() -> None:
    assert why(ExchangeScored(exchange="e", snarc=Snarc(salience=1.0), revision=1), SETTINGS) == ""
    assert why(ExchangeScored(exchange="e", snarc=Snarc(salience=1.0), known=False), SETTINGS) == ""
