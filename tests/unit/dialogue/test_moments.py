import pytest

from nodes.dialogue.config import Checkpoints
from nodes.dialogue.moments import SESSIONS, Moments
from protocol.messages.context import ExchangeScored, Snarc

SETTINGS = Checkpoints(salience=0.8, novelty=0.9)
DULL = Snarc(salience=0.1, novelty=0.1)


def scored(snarc: Snarc, session: str = "s", **more: object) -> ExchangeScored:
    return ExchangeScored(exchange="e", session=session, snarc=snarc, **more)  # type: ignore[arg-type]


@pytest.fixture
def moments() -> Moments:
    """Of a conversation that goes on."""
    made = Moments(SETTINGS)
    made.why(scored(DULL))
    return made


@pytest.mark.parametrize(
    ("snarc", "reason"),
    [
        (Snarc(salience=0.8), "it mattered: salience 0.80"),
        (Snarc(salience=0.5, novelty=0.95), "another topic: novelty 0.95"),
        (Snarc(salience=0.79, novelty=0.89), ""),
    ],
)
def test_what_matters_and_what_is_new_is_a_moment(moments: Moments, snarc: Snarc, reason: str) -> None:
    assert moments.why(scored(snarc)) == reason


def test_what_a_conversation_begins_with_is_no_other_topic(moments: Moments) -> None:
    new = Snarc(salience=0.5, novelty=1.0)
    assert moments.why(scored(new, "other")) == ""
    assert moments.why(scored(new, "other")) == "another topic: novelty 1.00"
    assert moments.why(scored(Snarc(salience=0.9), "third")) == "it mattered: salience 0.90"


def test_of_sessions_only_so_many_are_remembered(moments: Moments) -> None:
    for number in range(SESSIONS):
        moments.why(scored(DULL, str(number)))
    assert moments.why(scored(Snarc(novelty=1.0))) == ""


def test_what_is_learned_later_and_what_nobody_remembers_is_none(moments: Moments) -> None:
    assert moments.why(scored(Snarc(salience=1.0), revision=1)) == ""
    assert moments.why(scored(Snarc(salience=1.0), known=False)) == ""
