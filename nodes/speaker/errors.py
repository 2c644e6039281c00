"""What can go wrong with speaking. They travel to the caller by their code.

SageError
└── SpeakingError
    ├── SynthesiserMissing   the program that speaks is not installed
    ├── SynthesisFailed      it is there and made no sound of a sentence
    └── NothingToSay         the text has no word in it
"""

from protocol.errors import SageError


class SpeakingError(SageError):
    code = "speaking"


class SynthesiserMissing(SpeakingError):
    code = "speaking.synthesiser_missing"


class SynthesisFailed(SpeakingError):
    code = "speaking.synthesis_failed"


class NothingToSay(SpeakingError):
    code = "speaking.nothing_to_say"
