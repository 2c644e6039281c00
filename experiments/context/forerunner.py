"""The forerunner's rules by keywords, as `GLOSSARY.md` gives them: first match wins, on substrings."""

from collections.abc import Sequence

from protocol.messages.context import Context

NOVEL = ("what", "why", "how", "explain", "tell me about")
UNSTABLE = ("however", "but", "uncertain", "complex", "analyze")
STABLE = ("hello", "thanks", "yes", "no", "list", "show")
RECENT = 5
"""Inputs that the overlap of words is taken with; how many they were is not told."""


def by_keywords(said: Sequence[str]) -> Context:
    """The context of the last utterance of a conversation."""
    *before, last = (text.lower() for text in said)
    if any(word in last for word in NOVEL):
        return Context.NOVEL
    if any(word in last for word in UNSTABLE):
        return Context.UNSTABLE
    recent = {word for text in before[-RECENT:] for word in text.split()}
    words = last.split()
    if words and 0.3 < sum(word in recent for word in words) / len(words) < 0.7:
        return Context.MOVING
    if any(word in last for word in STABLE):
        return Context.STABLE
    return Context.MOVING
