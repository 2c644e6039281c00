"""A store for tests: a real database in a directory, sealed with a real sealer under a fixed secret."""

from __future__ import annotations

from pathlib import Path

from nodes.dialogue.outbox import Delivery
from nodes.dialogue.store import Store
from protocol.messages.context import Context, ScoreExchange, Snarc
from protocol.messages.dream import Keep
from protocol.messages.metabolism import Settle
from protocol.messages.model import ChatMessage
from runtime.sealing import Sealer

SECRET = bytes(32)


def open_store(folder: Path) -> Store:
    return Store.open(folder / "dialogue.sqlite", Sealer(SECRET, "dialogue"))


def bill(number: int) -> Delivery:
    return Delivery("metabolic_controller", f"e{number}", Settle(ident=f"e{number}", cpu_s=number))


def lesson(number: int) -> Delivery:
    keep = Keep(
        exchange=f"e{number}",
        session="s",
        messages=[ChatMessage(role="user", content="where is the secret cup")],
        answer="in the hall .",
        level="sensory",
        version="v",
        context="stable",
        snarc=Snarc(salience=0.1),
    )
    return Delivery("dream_consolidator", f"e{number}", keep)


def to_score(number: int) -> Delivery:
    request = ScoreExchange(
        exchange=f"e{number}", session="s", question="q", answer="a", context=Context.STABLE, confidence=0.5
    )
    return Delivery("context_classifier", f"e{number}", request, then=lesson(number))
