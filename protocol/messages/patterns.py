"""What is answered without a model: the patterns in force, and those that are proposed."""

from __future__ import annotations

import msgspec


class ListPatterns(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for the patterns in force."""


class PatternShown(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    phrases: list[str]
    answer: str
    source: str = "file"
    """`file`, or `learned`."""
    version: int = 0
    """Of a learned one."""
    by: str = ""
    """Who accepted it: a person's name, or `rule`."""
    grounds: str = ""
    """What had been shown of it."""


class PatternsListed(msgspec.Struct, frozen=True, kw_only=True):
    patterns: list[PatternShown]
    path: str
    problem: str = ""
    """Why what was read last is not in force, or not all of it."""
    reads: int = 0


class ListProposals(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for the questions that are proposed as patterns; `all` also for those that are only watched."""

    all: bool = False


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    ident: str
    question: str
    answer: str
    grounds: str
    """What has been shown, in words."""
    lacking: list[str] = []
    """What has still to be shown before it is proposed."""
    standing: str = "proposed"


class Proposals(msgspec.Struct, frozen=True, kw_only=True):
    proposals: list[Proposal]


class DecidePattern(msgspec.Struct, frozen=True, kw_only=True):
    """Accept a proposal, or reject it for good."""

    ident: str
    """A beginning of it is enough."""
    accept: bool
    by: str
    """Who decides."""


class PatternDecided(msgspec.Struct, frozen=True, kw_only=True):
    question: str
    answer: str
    name: str = ""
    """Of the pattern, where it was accepted."""
    version: int = 0


class RemovePattern(msgspec.Struct, frozen=True, kw_only=True):
    """Take a learned pattern out of force, and forget every version of it."""

    name: str


class PatternRemoved(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    versions: int
