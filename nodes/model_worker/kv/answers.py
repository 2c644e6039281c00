"""Answers a model gave in a conversation, with the ids it gave them in. No torch.

A tokenizer may write a text in other ids than the model chose for it. Rendering an earlier answer in the model's own
ids keeps the state that was computed with them.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence

from nodes.model_worker.kv.history import common_prefix

LIMIT = 256
"""Answers remembered per conversation."""


class Answers:
    """Text → the ids it was generated in; more than one where the same text was said in different ids."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, list[tuple[int, ...]]] = OrderedDict()
        self.forgotten = 0
        """Since somebody last counted and set it back."""

    def __len__(self) -> int:
        return len(self._ids)

    def remember(self, text: str, ids: Sequence[int]) -> None:
        """Note that `text` was generated as `ids`; the oldest text is forgotten past the limit, and counted."""
        if not text or not ids:
            return
        known = self._ids.setdefault(text, [])
        if tuple(ids) in known:
            known.remove(tuple(ids))
        known.append(tuple(ids))
        self._ids.move_to_end(text)
        if len(self._ids) > LIMIT:
            self._ids.popitem(last=False)
            self.forgotten += 1

    def as_dict(self) -> dict[str, list[tuple[int, ...]]]:
        """A copy: text → ids, oldest first."""
        return {text: list(ways) for text, ways in self._ids.items()}

    @classmethod
    def of(cls, known: Mapping[str, Sequence[Sequence[int]]]) -> "Answers":
        """As `as_dict` gave them."""
        answers = cls()
        for text, ways in known.items():
            for ids in ways:
                answers.remember(text, ids)
        return answers

    def __contains__(self, text: str) -> bool:
        return text in self._ids

    def find(self, text: str, held: Sequence[int], start: int) -> tuple[int, ...]:
        """The ids of a known text: those that agree longest with what was processed from `held[start]` on.

        The latest where several do. KeyError if the text is not known.
        """
        ways = self._ids[text]
        return max(reversed(ways), key=lambda ids: common_prefix(ids, tuple(held[start : start + len(ids)])))
