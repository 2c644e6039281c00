"""Moments of a conversation to come back to: where something mattered much, or another topic began. Pure."""

from __future__ import annotations

from nodes.dialogue.config import Checkpoints
from protocol.messages.context import ExchangeScored


def why(scored: ExchangeScored, settings: Checkpoints) -> str:
    """Why the exchange is one; empty where it is none. What is learned of it later makes it none."""
    if scored.revision or not scored.known:
        return ""
    snarc = scored.snarc
    if snarc.salience >= settings.salience:
        return f"it mattered: salience {snarc.salience:.2f}"
    if snarc.novelty >= settings.novelty:
        return f"another topic: novelty {snarc.novelty:.2f}"
    return ""
