"""Messages → token ids, keeping the ids an earlier answer was generated in, and which message each token came from.

The template decides the text, always. What is done here is to find each message's content in that text: the template
is rendered once more over placeholders, and the text between the placeholders is looked up in the true text. Where a
template rewrites contents or lets them change what stands around them, the search fails and the text is encoded whole.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from nodes.model_worker.kv.answers import Answers
from protocol.messages.model import ChatMessage


class Span(NamedTuple):
    """Where the content of a message stands in the rendered text. `exact`: it stands there unchanged."""

    start: int
    end: int
    exact: bool


class Encoding(NamedTuple):
    ids: list[int]
    ends: list[int]
    """Index of the character after each token; empty where the tokenizer cannot tell."""


class Tokens(Protocol):
    """What is needed of a tokenizer."""

    def render(self, messages: Sequence[ChatMessage]) -> str:
        """The template's text for the messages, up to where the answer begins."""

    def encode(self, text: str) -> Encoding:
        """The ids of `text` as it stands; nothing is added."""


@dataclass(frozen=True)
class Rendered:
    ids: list[int]
    _char_ends: list[int]
    _content_ends: list[int]
    _content_starts: list[int] = field(default_factory=list)

    def last_content(self) -> range:
        """The tokens of the last message's content; empty if unknown."""
        if len(self._char_ends) != len(self.ids) or not self._content_starts:
            return range(0)
        start, end = self._content_starts[-1], self._content_ends[-1]
        return range(bisect_right(self._char_ends, start), bisect_right(self._char_ends, end))

    def message_at(self, index: int) -> int | None:
        """The message that token `index` lies in, None if unknown.

        What the template puts before a content counts to that message; what follows the last one, to none.
        """
        if len(self._char_ends) != len(self.ids) or not self._content_ends:
            return None
        message = bisect_right(self._content_ends, self._char_ends[index] - 1)
        return message if message < len(self._content_ends) else None


def render(messages: Sequence[ChatMessage], tokens: Tokens, answers: Answers, held: Sequence[int]) -> Rendered:
    """The ids a model is to go on from. Of an answer that was generated in several ways, the one in `held` is taken."""
    text = tokens.render(messages)
    spans = locate(messages, text, tokens)
    ids: list[int] = []
    ends: list[int] = []
    done = 0
    for message, span in zip(messages, spans, strict=False):
        if message.role == "assistant" and span.exact and message.content in answers:
            before = tokens.encode(text[done : span.start])
            ids += before.ids
            ends += [done + end for end in before.ends]
            answer = answers.find(message.content, held, len(ids))
            ids += answer
            ends += [span.end] * len(answer)
            done = span.end
    rest = tokens.encode(text[done:])
    return Rendered(
        ids + rest.ids,
        ends + [done + end for end in rest.ends],
        [span.end for span in spans],
        [span.start for span in spans],
    )


def locate(messages: Sequence[ChatMessage], text: str, tokens: Tokens) -> list[Span]:
    """Where each message's content stands in `text`, in order; empty if that cannot be told."""
    between = _between_contents(messages, tokens)
    if between is None or not text.startswith(between[0]):
        return []
    spans: list[Span] = []
    at = len(between[0])
    for message, after in zip(messages, between[1:], strict=True):
        exact = text.startswith(message.content + after, at)
        end = at + len(message.content) if exact else text.find(after, at)
        if end < 0 or (not exact and not after):
            return []
        spans.append(Span(at, end, exact))
        at = end + len(after)
    return spans if at == len(text) else []


def _between_contents(messages: Sequence[ChatMessage], tokens: Tokens) -> list[str] | None:
    """What the template puts before, between and after the contents: one more than there are messages."""
    marks = [f"\ue000{index}\ue001" for index in range(len(messages))]
    rest = tokens.render(
        [ChatMessage(role=message.role, content=mark) for message, mark in zip(messages, marks, strict=True)]
    )
    between: list[str] = []
    for mark in marks:
        before, found, rest = rest.partition(mark)
        if not found:
            return None
        between.append(before)
    return [*between, rest]
