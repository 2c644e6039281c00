"""Which examples a wish to forget means. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from nodes.dream_consolidator.collector.examples import Example
from nodes.dream_consolidator.collector.redaction import unnumbered
from nodes.dream_consolidator.collector.shelf import Met
from protocol.messages.dream import ForgetExamples


class Meant(NamedTuple):
    examples: frozenset[int]
    exchanges: frozenset[str]
    """Theirs, and those that the store has given up: something may have been learned from them before."""


def meant(
    wish: ForgetExamples,
    examples: Mapping[int, Example],
    met: Mapping[int | None, Sequence[Met]],
    session_digest: Callable[[str], str],
) -> Meant:
    """What is to be forgotten. An example goes with every exchange merged into it: they said the same.

    With an exchange goes every later one of its conversation that still holds what was said in it. Of what the store
    has given up the words are not known: a text finds none of it.
    """
    asked = _Asked(wish, session_digest(wish.session))
    found = {
        ident
        for ident, example in examples.items()
        if asked.words(example) and any(asked.exchange(each) for each in met.get(ident, ()))
    }
    sessions = {each.session for ident in found for each in met[ident] if each.session}
    said = {_turn(examples[ident].question, examples[ident].answer) for ident in found}
    for ident, example in examples.items():
        if ident not in found and any(each.session in sessions for each in met.get(ident, ())):
            found |= {ident} if said & _turns(example) else set()
    gone = [] if wish.matching else [each for each in met.get(None, ()) if asked.exchange(each)]
    exchanges = {each.exchange for each in [*gone, *_of(met, found)]}
    return Meant(frozenset(found), frozenset(exchanges | ({wish.exchange} if wish.exchange else set())))


class _Asked(NamedTuple):
    wish: ForgetExamples
    session: str

    def exchange(self, met: Met) -> bool:
        return (
            (not self.wish.exchange or met.exchange == self.wish.exchange)
            and (not self.wish.session or met.session == self.session)
            and (not self.wish.before_ns or met.met_ns < self.wish.before_ns)
        )

    def words(self, example: Example) -> bool:
        text = self.wish.matching.casefold()
        said = [*(message.content for message in example.messages), example.answer]
        return not text or any(text in each.casefold() for each in said)


def _turn(question: str, answer: str) -> tuple[str, str]:
    return unnumbered(question), unnumbered(answer)


def _turns(example: Example) -> set[tuple[str, str]]:
    """What was asked and answered before the example's own question."""
    pairs = zip(example.messages, example.messages[1:], strict=False)
    return {
        _turn(first.content, second.content)
        for first, second in pairs
        if (first.role, second.role) == ("user", "assistant")
    }


def _of(met: Mapping[int | None, Sequence[Met]], idents: Iterable[int]) -> list[Met]:
    return [each for ident in idents for each in met.get(ident, ())]
