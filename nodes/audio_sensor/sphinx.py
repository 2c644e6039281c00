"""PocketSphinx: one decoder, one acoustic model, three searches over it. The samples of an utterance go through whole.

Cepstral means are taken over the utterance itself and the estimate of the noise begins anew with each, so what was
heard before does not change what is heard now.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from math import exp, log
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any, NamedTuple

from nodes.audio_sensor.artefacts import Artefacts, Vocabulary, artefacts
from nodes.audio_sensor.errors import PartMissing
from nodes.audio_sensor.grammar import FILLERS, phone_distance, too_drawn_out
from nodes.audio_sensor.lexicon import read_dictionary, words_of
from nodes.audio_sensor.noise_floor import raise_floor
from nodes.audio_sensor.slots import RATE, Readiness, Transcript

if TYPE_CHECKING:
    import numpy as np

ACOUSTIC_MODEL, DICTIONARY, PHONE_MODEL = "en-us", "cmudict-en-us.dict", "en-us-phone.lm.bin"
_BEAMS = {"beam": 1e-60, "pbeam": 1e-60, "wbeam": 1e-40, "fwdflatbeam": 1e-80, "fwdflatwbeam": 1e-40}
"""Wider than the decoder's own: 96 of 100 unseen sentences instead of 93, for a twentieth more time."""
_COMMANDS, _PHONES, _FREE = "commands", "phones", "free"


@dataclass(frozen=True)
class SphinxSettings:
    floor_below_speech_db: float = 25.0
    command_distance: float = 0.60
    """Up to this phone distance a command is believed without a second opinion: no open sentence of four voices came
    nearer than 0.67, and half of the commands did."""
    densities: int = 8
    """Gaussians evaluated per feature: 4 is the decoder's own choice; 8 lose a third fewer words, a fifth slower."""


class _Word(NamedTuple):
    entry: str
    posterior: float


class Sphinx:
    """A recogniser for the words of one vocabulary."""

    def __init__(self, vocabulary: Vocabulary, folder: Path, settings: SphinxSettings | None = None) -> None:
        self.settings = settings or SphinxSettings()
        models = _model_folder()
        self.artefacts: Artefacts = artefacts(vocabulary, models / DICTIONARY, folder)
        self._pronunciations = read_dictionary(self.artefacts.dictionary.read_text(encoding="utf-8").splitlines())
        self._decoder = self._load(models)
        self._commands = {" ".join(words_of(phrase)) for phrase in vocabulary.phrases} - {""}
        if self._commands:
            self._decoder.add_jsgf_file(_COMMANDS, str(self.artefacts.grammar))
            self._decoder.add_allphone_file(_PHONES, str(models / PHONE_MODEL))

    @staticmethod
    def probe() -> Readiness:
        try:
            models = _model_folder()
        except PartMissing as missing:
            return Readiness(False, f"pocketsphinx: {missing.message}", missing.remedy)
        return Readiness(True, f"pocketsphinx: {models / ACOUSTIC_MODEL}")

    def transcribe(self, samples: np.ndarray) -> Transcript:
        """The command that was surely spoken; else what the language model makes of it, which may be a command, too."""
        sound = self._prepare(samples)
        if self._commands and (command := self._sure_command(sound)) is not None:
            return command
        words = self._decode(_FREE, sound)
        text = _text(words)
        return Transcript(text, _certainty(words), "free", command=text in self._commands)

    def _sure_command(self, sound: bytes) -> Transcript | None:
        words = self._decode(_COMMANDS, sound)
        text = _text(words)
        if text not in self._commands:  # the decoder also returns beginnings of phrases
            return None
        expected = [phone for word in words for phone in self._pronunciations[word.entry].split()]
        if too_drawn_out(len(expected), len(sound) / 2 / RATE):
            return None
        distance = phone_distance(expected, [phone.entry for phone in self._decode(_PHONES, sound)])
        sure = distance <= self.settings.command_distance
        return Transcript(text, 1 - distance, "grammar", command=True) if sure else None

    def _load(self, models: Path) -> Any:
        import pocketsphinx

        pocketsphinx.set_loglevel("FATAL")
        decoder = pocketsphinx.Decoder(
            hmm=str(models / ACOUSTIC_MODEL),
            dict=str(self.artefacts.dictionary),
            lm=None,
            topn=self.settings.densities,
            loglevel="FATAL",
            **_BEAMS,
        )
        decoder.add_lm_file(_FREE, str(self.artefacts.language_model))
        return decoder

    def _prepare(self, samples: np.ndarray) -> bytes:
        """The samples as 16-bit PCM above a noise floor; nothing at all of samples that are all zero in 16 bits.

        Of digital silence the decoder makes a word of its grammar at times, for there is nothing to normalise by.
        """
        if not (abs(samples) * 32767 >= 1).any():
            return b""
        raised = raise_floor(samples, self.settings.floor_below_speech_db)
        return (raised * 32767).astype("<i2").tobytes()

    def _decode(self, search: str, sound: bytes) -> list[_Word]:
        """What the search found, as the dictionary has it (variants with their number), without silences and noises."""
        if not sound:
            return []
        decoder = self._decoder
        decoder.reinit_feat()
        decoder.activate_search(search)
        decoder.start_utt()
        decoder.process_raw(sound, full_utt=True)
        decoder.end_utt()
        if decoder.hyp() is None:
            return []
        return [_Word(segment.word, segment.prob) for segment in decoder.seg() if segment.word not in FILLERS]


def _text(words: list[_Word]) -> str:
    return " ".join(word.entry.partition("(")[0] for word in words)


def _certainty(words: list[_Word]) -> float:
    """Geometric mean of the words' posteriors."""
    if not words:
        return 0.0
    return exp(mean(log(min(1.0, max(word.posterior, 1e-9))) for word in words))


def _model_folder() -> Path:
    remedy = "pip install pocketsphinx"
    found = importlib.util.find_spec("pocketsphinx")
    if found is None or not found.submodule_search_locations:
        raise PartMissing("the package pocketsphinx is not installed", remedy=remedy)
    models = Path(found.submodule_search_locations[0]) / "model" / "en-us"
    for name in (ACOUSTIC_MODEL, DICTIONARY, PHONE_MODEL):
        if not (models / name).exists():
            raise PartMissing(
                f"the package pocketsphinx lacks {name}", place=str(models), remedy=f"{remedy} --force-reinstall"
            )
    return models
