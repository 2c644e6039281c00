"""A grammar of whole commands, and whether an utterance really was the command the grammar made of it.

A grammar decoder finds a command in everything: alone it took 15 of 16 open questions for commands. So the phones of
the command are compared with the phones that a decoder without any grammar heard in the same sound, and a command that
would have been drawn out over far too long a sound is not believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nodes.audio_sensor.lexicon import words_of

RULE = "command"
FILLERS = {"SIL", "+SPN+", "+NSN+", "<s>", "</s>", "<sil>", "[NOISE]", "[SPEECH]"}
"""What stands in a result for silences and noises."""


def jsgf(phrases: Iterable[str]) -> str:
    """A JSGF grammar (W3C note of 2000) that accepts exactly these phrases, each whole."""
    alternatives = sorted({" ".join(words) for phrase in phrases if (words := words_of(phrase))})
    if not alternatives:
        raise ValueError("a grammar needs at least one phrase with a word in it")
    body = "\n    | ".join(alternatives)
    return f"#JSGF V1.0;\ngrammar commands;\npublic <{RULE}> =\n      {body}\n    ;\n"


def too_drawn_out(phones: int, seconds: float) -> bool:
    """Whether nobody would take so long for so few phones. `seconds` holds the preroll and the pause at the end, too.

    Measured on four voices: commands took up to 0.4 s + 0.3 s a phone when short, 0.17 s a phone from eight phones on.
    """
    return seconds > 1.0 + 0.18 * phones


def phone_distance(expected: Sequence[str], heard: Sequence[str]) -> float:
    """Edit distance between two phone sequences over the length of the longer: 0 the same, 1 nothing alike."""
    if not expected and not heard:
        return 0.0
    row = list(range(len(heard) + 1))
    for i, phone in enumerate(expected, start=1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(heard, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (phone != other))
    return row[-1] / max(len(expected), len(heard))
