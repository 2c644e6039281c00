"""The files a decoder reads, made once from the words it is to hear, kept under a hash of all that went into them."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

from nodes.audio_sensor import grammar, language_model, lexicon
from nodes.audio_sensor.errors import NothingToHear
from runtime.paths import write_atomically

VERSION = b"4"
"""Part of the hash: another way of making the files makes others."""


COMMAND_SHARE = 0.1
"""How much of what people say is expected to be a command."""


@dataclass(frozen=True)
class Vocabulary:
    """What may be said: whole commands, and lines of text like those people will say."""

    phrases: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    pronunciations: Mapping[str, str] = field(default_factory=dict)

    def sentences(self) -> list[list[str]]:
        """The words of all lines. Commands are said freely, too: together they make up `COMMAND_SHARE` of the lines."""
        phrases = [words for line in self.phrases if (words := lexicon.words_of(line))]
        texts = [words for line in self.texts if (words := lexicon.words_of(line))]
        wanted = COMMAND_SHARE / (1 - COMMAND_SHARE) * len(texts)
        return phrases * max(1, round(wanted / max(1, len(phrases)))) + texts


@dataclass(frozen=True)
class Artefacts:
    directory: Path

    @property
    def language_model(self) -> Path:
        return self.directory / "words.arpa"

    @property
    def dictionary(self) -> Path:
        return self.directory / "words.dict"

    @property
    def grammar(self) -> Path:
        """Missing where there are no commands."""
        return self.directory / "commands.jsgf"


def artefacts(vocabulary: Vocabulary, dictionary: Path, folder: Path) -> Artefacts:
    """The files for `vocabulary` below `folder`, made where they are missing, which takes seconds.

    `dictionary` is the large one that knows all words; UnknownWords lists those it does not.
    """
    kept = Artefacts(folder / _digest(vocabulary, dictionary))
    if not kept.directory.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _place(kept.directory, lambda beside: _make(vocabulary, dictionary, Artefacts(beside)))
    return kept


def _digest(vocabulary: Vocabulary, dictionary: Path) -> str:
    known = dictionary.stat()
    hashed = hashlib.sha256(VERSION + f"{dictionary.name} {known.st_size}\n".encode())
    parts: tuple[Sequence[str], ...] = (
        vocabulary.phrases,
        vocabulary.texts,
        [f"{word} {phones}" for word, phones in sorted(vocabulary.pronunciations.items())],
    )
    for part in parts:
        hashed.update(f"{len(part)}\n".encode())
        hashed.update("\n".join(part).encode())
    return hashed.hexdigest()[:32]


def _make(vocabulary: Vocabulary, dictionary: Path, made: Artefacts) -> None:
    sentences = vocabulary.sentences()
    if not sentences:
        raise NothingToHear(
            "no phrase and no text is configured, so no word could ever be recognised",
            place="configs/voice.yaml",
            remedy="install a package that registers sage.speech_text, or list phrases",
        )
    words = {word for sentence in sentences for word in sentence}
    pronunciations = lexicon.pronounce(words, dictionary, vocabulary.pronunciations)
    _write(made.dictionary, lexicon.dictionary_lines(pronunciations))
    _write(made.language_model, language_model.arpa(language_model.trigrams(sentences)))
    if any(lexicon.words_of(phrase) for phrase in vocabulary.phrases):
        _write(made.grammar, [grammar.jsgf(vocabulary.phrases)])


def _write(path: Path, lines: Iterable[str]) -> None:
    write_atomically(path, "".join(f"{line}\n" for line in lines).encode())


def _place(directory: Path, make: Callable[[Path], None]) -> None:
    """Make the directory beside and rename it, so that nobody ever finds it half made."""
    beside = Path(mkdtemp(prefix=".making-", dir=directory.parent))
    try:
        make(beside)
        os.rename(beside, directory)
    except OSError:
        if not directory.is_dir():  # another process may have placed the same files first
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
