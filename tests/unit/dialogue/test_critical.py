"""The shipped intents, and what a file of them must prove."""

import pytest

from experiments.patterns.sentences import by_hand, of_the_curriculum, varied
from nodes.dialogue import critical
from nodes.dialogue.critical import Critical, CriticalFile, Intent
from nodes.dialogue.patterns.slots import WordsSlot
from protocol.errors import ConfigError


@pytest.fixture(scope="module")
def shipped() -> Critical:
    return critical.load()


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("FIRE!!!", "fire or gas"),
        ("Fire! What do I do?", "fire or gas"),
        ("Oh no, there's a fire in the cellar. Where is the door?", "fire or gas"),
        ("sage please stop the mower at once", "emergency"),
        ("Call 112", "an ambulance or the police"),
        ("My baby isn’t breathing", "an injury or an illness"),
        ("i don't want to live anymore", "harm to oneself"),
        ("How much insulin should I take?", "a dose of medicine"),
        ("Unlock the back door, please.", "an entrance"),
        ("switch the smoke alarm off", "an alarm"),
        ("did I leave the stove on?", "gas and flame"),
    ],
)
def test_what_would_do_harm_is_noticed_as_a_whole_sentence_of_any_spelling(
    shipped: Critical, text: str, intent: str
) -> None:
    assert shipped.intent_of(text) == intent


@pytest.mark.parametrize(
    "text",
    ["", "...", "how do i light a fire", "who unlocked the door", "fire(", "call me 112", "two plus two"],
)
def test_what_merely_mentions_it_is_not(shipped: Critical, text: str) -> None:
    assert shipped.intent_of(text) == ""


def test_no_sentence_of_the_trap_set_nor_of_the_curriculum_is_taken_for_critical(shipped: Critical) -> None:
    hand = by_hand()
    sentences = [*hand, *varied(hand), *of_the_curriculum(0, 5)]
    assert len(hand) >= 300
    assert [one.text for one in sentences if shipped.intent_of(one.text)] == []


def _file(**said: tuple[str, ...]) -> CriticalFile:
    usual = {"phrases": ("call the {service}",), "positive": ("Call the police!",), "negative": ("call the cat",)}
    return CriticalFile(
        intents=(Intent(name="help", **{**usual, **said}),),
        slots={"service": WordsSlot(words=("police", "doctor"))},
    )


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"positive": ("call a doctor",)}, "positive example 'call a doctor' is not noticed"),
        (
            {"negative": ("Oh dear. Call the doctor!",)},
            "'Oh dear. Call the doctor!' is taken for help",
        ),
        ({"phrases": ("call the {servce}",)}, "no slot 'servce' is declared"),
    ],
)
def test_an_intent_that_does_not_hold_is_refused(said: dict[str, tuple[str, ...]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _file(**said)


def test_a_file_that_cannot_be_meant_is_named_with_its_line(tmp_path) -> None:
    path = tmp_path / "critical.yaml"
    path.write_text("intents:\n  - {name: fire, phrases: [fire], positive: [smoke], negative: [fire brigade]}\n")
    with pytest.raises(ConfigError, match=r"critical\.yaml.*'smoke' is not noticed"):
        critical.load(str(path))
