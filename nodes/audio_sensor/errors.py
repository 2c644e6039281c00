"""What can be wrong with a recording, or with the parts that hear it. They travel to the caller by their code.

SageError
└── HearingError
    ├── BadRecording     no WAV file, or one whose samples cannot be read
    ├── PartMissing      a package or model file that hearing needs is not installed
    ├── UnknownWords     phrases or language-model text use words that nobody told how to pronounce
    └── NothingToHear    no phrase and no text was configured, so no word could ever be recognised
"""

from protocol.errors import SageError


class HearingError(SageError):
    code = "hearing"


class BadRecording(HearingError):
    code = "hearing.bad_recording"


class PartMissing(HearingError):
    code = "hearing.part_missing"


class UnknownWords(HearingError):
    """`detail["words"]` lists them."""

    code = "hearing.unknown_words"


class NothingToHear(HearingError):
    code = "hearing.nothing_to_hear"
