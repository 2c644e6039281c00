r"""Token ids → text that only ever grows: no half character, no lost space, nothing past a stop text.

stream = TextStream(decode, stop=["\n\n"])
"".join(stream.push(id) for id in ids) + stream.finish() == stream.text
"""

from collections.abc import Callable, Sequence

_REPLACEMENT = "\ufffd"

Decode = Callable[[list[int]], str]


class TextStream:
    """The answer as it comes. `text` is what has been handed out; `stopped` once a stop text was met."""

    def __init__(self, decode: Decode, stop: Sequence[str] = ()) -> None:
        self._pieces = Pieces(decode)
        self._stops = StopTexts(stop)
        self.text = ""

    @property
    def stopped(self) -> bool:
        return self._stops.met

    def push(self, token: int) -> str:
        """The text that became certain with this token; often a word, sometimes nothing."""
        return self._hand_out(self._stops.push(self._pieces.push(token)))

    def finish(self) -> str:
        """What was held back, once no more tokens come."""
        return self._hand_out(self._stops.push(self._pieces.finish()) + self._stops.finish())

    def _hand_out(self, piece: str) -> str:
        self.text += piece
        return piece


class Pieces:
    """Incremental detokenisation.

    A token may end inside a character, and some tokenizers drop the space of the first token they decode. So each
    piece is the difference between decoding from the last boundary with and without the new tokens. A boundary is
    only set after tokens that show, and where the text does not end in an unfinished character.
    """

    def __init__(self, decode: Decode) -> None:
        self._decode = decode
        self._ids: list[int] = []
        self._context = 0
        """Where decoding starts: the boundary before the last one."""
        self._given = 0
        """Ids whose text has been handed out."""

    def push(self, token: int) -> str:
        self._ids.append(token)
        whole = self._decode(self._ids[self._context :])
        return "" if whole.endswith(_REPLACEMENT) else self._hand_out(whole)

    def finish(self) -> str:
        """The rest as it is: an unfinished character shows as U+FFFD."""
        return self._hand_out(self._decode(self._ids[self._context :]))

    def _hand_out(self, whole: str) -> str:
        piece = whole[len(self._decode(self._ids[self._context : self._given])) :]
        if piece:
            self._context, self._given = self._given, len(self._ids)
        return piece


class StopTexts:
    """Lets text through up to a stop text; holds back an ending that may be the beginning of one.

    Of several, the one that is complete first counts, so that it does not matter how the text is cut into pieces.
    """

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = [text for text in stop if text]
        self._held = ""
        self.met = False

    def push(self, piece: str) -> str:
        """What of the text so far is certain to be before any stop text."""
        if self.met:
            return ""
        text = self._held + piece
        found = [(at + len(stop), at) for stop in self._stop if (at := text.find(stop)) >= 0]
        if found:
            self.met, self._held = True, ""
            return text[: min(found)[1]]
        keep = max((_overlap(text, stop) for stop in self._stop), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def finish(self) -> str:
        """What was held back in vain."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """Length of the longest proper beginning of `stop` that `text` ends in."""
    for length in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
