from concurrent.futures import ThreadPoolExecutor

import pytest

from nodes.audio_sensor.artefacts import Vocabulary, artefacts
from nodes.audio_sensor.errors import NothingToHear, UnknownWords

VOCABULARY = Vocabulary(phrases=("stop",), texts=("open the door", "close the door"))


@pytest.fixture
def dictionary(tmp_path):
    path = tmp_path / "all.dict"
    path.write_text("close K L OW S\ndoor D AO R\nopen OW P AH N\nstop S T AA P\nthe DH AH\n")
    return path


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "voice"


def test_the_files_hold_exactly_what_may_be_said(dictionary, folder):
    made = artefacts(VOCABULARY, dictionary, folder)
    assert [line.split()[0] for line in made.dictionary.read_text().splitlines()] == [
        "close",
        "door",
        "open",
        "stop",
        "the",
    ]
    assert "ngram 1=7" in made.language_model.read_text(), "five words, begin and end"
    assert "stop" in made.grammar.read_text()
    assert "door" not in made.grammar.read_text()


def test_what_is_kept_is_not_made_again(dictionary, folder):
    made = artefacts(VOCABULARY, dictionary, folder)
    written = made.language_model.stat().st_mtime_ns
    assert artefacts(VOCABULARY, dictionary, folder) == made
    assert made.language_model.stat().st_mtime_ns == written


@pytest.mark.parametrize(
    "other",
    [
        Vocabulary(phrases=("stop",), texts=("open the door", "close the door", "stop")),
        Vocabulary(phrases=("stop", "open the door"), texts=("close the door",)),
        Vocabulary(phrases=("stop",), texts=VOCABULARY.texts, pronunciations={"stop": "S T OW P"}),
    ],
)
def test_another_vocabulary_has_files_of_its_own(dictionary, folder, other):
    assert artefacts(other, dictionary, folder) != artefacts(VOCABULARY, dictionary, folder)


def test_commands_are_a_tenth_of_what_is_expected():
    texts = tuple(f"open door {'very ' * n}wide" for n in range(180))
    sentences = Vocabulary(phrases=("stop", "wake up"), texts=texts).sentences()
    assert (sentences.count(["stop"]), sentences.count(["wake", "up"]), len(sentences)) == (10, 10, 200)


def test_without_commands_there_is_no_grammar(dictionary, folder):
    assert not artefacts(Vocabulary(texts=("open the door",)), dictionary, folder).grammar.exists()


@pytest.mark.parametrize(
    ("vocabulary", "error"),
    [
        (Vocabulary(), NothingToHear),
        (Vocabulary(phrases=("?",)), NothingToHear),
        (Vocabulary(("hullo",)), UnknownWords),
    ],
)
def test_what_cannot_be_made_leaves_nothing_behind(dictionary, folder, vocabulary, error):
    with pytest.raises(error):
        artefacts(vocabulary, dictionary, folder)
    assert list(folder.iterdir()) == []


def test_two_that_make_the_same_files_at_once_agree(dictionary, folder):
    with ThreadPoolExecutor(4) as threads:
        made = set(threads.map(lambda _: artefacts(VOCABULARY, dictionary, folder), range(8)))
    assert len(made) == 1
    assert [path.name for path in folder.iterdir()] == [made.pop().directory.name]
