"""What is to be said of one reply, while the reply is still being made. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from nodes.speaker.sentences import Sentences


@dataclass(frozen=True)
class Lines:
    """Sentences to say next; `anew`: what was said before is withdrawn, and these begin the reply."""

    sentences: list[str]
    anew: bool = False


class Script:
    """Takes the parts of a reply and its completion, in whatever state they arrive.

    Parts that were lost leave a gap; nothing is said beyond it until the completed text fills it.
    """

    def __init__(self) -> None:
        self._heard = ""
        self._next = 0
        self._gap = False
        self._sentences = Sentences()

    def part(self, index: int, text: str, *, restart: bool = False) -> Lines:
        if index < self._next:
            return Lines([])
        if restart:
            self._begin()
        elif index > self._next:
            self._gap = True
        self._next = index + 1
        if self._gap:
            return Lines([], restart)
        return Lines(self._take(text), restart)

    def complete(self, text: str) -> Lines:
        """The whole reply: what has not been said of it yet, or all of it where something else was said."""
        said, text = self._heard.strip(), text.strip()
        anew = not text.startswith(said)
        if anew:
            self._begin()
            rest = text
        else:
            rest = text[len(said) :]
            if self._heard.endswith(tuple(" \n\t")):
                rest = rest.lstrip()
        return Lines([*self._take(rest), *self._sentences.finish()], anew)

    def _take(self, text: str) -> list[str]:
        self._heard += text
        return self._sentences.feed(text)

    def _begin(self) -> None:
        self._heard, self._gap, self._sentences = "", False, Sentences()
