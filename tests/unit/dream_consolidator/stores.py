"""Stores of examples for tests: real files, sealed under a fixed secret."""

from __future__ import annotations

from pathlib import Path

import msgspec

from nodes.dream_consolidator.collector.store import Collector
from nodes.dream_consolidator.settings import Collect
from protocol.messages.context import Snarc
from protocol.messages.dream import Keep
from protocol.messages.model import ChatMessage
from runtime.sealing import Sealer

SETTINGS = Collect(salience=0.5, sample=0.0, capacity=100, unheard=("a", "the", "please"))
LEVELS = ("sensory", "tactical", "strategic")


def open_store(folder: Path, **changes: object) -> Collector:
    settings = msgspec.structs.replace(SETTINGS, **changes)
    return Collector(folder / "examples.sqlite", Sealer(b"s" * 32, "dream"), settings, LEVELS)


def said(
    exchange: str,
    question: str,
    answer: str = "a thing",
    *,
    before: tuple[str, ...] = (),
    salience: float = 0.9,
    **changes: object,
) -> Keep:
    """An offer; `before` are the earlier turns, the user's first."""
    turns = [ChatMessage(role=("user", "assistant")[place % 2], content=text) for place, text in enumerate(before)]
    told: dict[str, object] = {
        "session": "kitchen",
        "messages": [*turns, ChatMessage(role="user", content=question)],
        "answer": answer,
        "level": "tactical",
        "version": "v1",
        "context": "novel",
        "snarc": Snarc(salience=salience),
        **changes,
    }
    return msgspec.convert({"exchange": exchange, **told}, Keep)
