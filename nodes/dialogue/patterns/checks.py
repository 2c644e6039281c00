"""What `sage check` asks of patterns: that a file can be meant, and that every example in it holds."""

from __future__ import annotations

import json
from collections.abc import Iterator

from nodes.dialogue.patterns.pattern import SHIPPED, PatternFile, Patterns, read
from protocol.errors import ConfigError
from runtime.launch.findings import ConfigKind, Finding
from runtime.launch.plan import Plan

_MODULE = "nodes.dialogue.node"


def check_patterns(plan: Plan) -> Iterator[Finding]:
    """Registered under `sage.checks`."""
    for process in plan.processes:
        if _MODULE not in process.argv:
            continue
        params = json.loads(process.environment.get("SAGE_PARAMS", "{}"))
        path = str(params.get("patterns") or SHIPPED)
        try:
            read(path)
        except ConfigError as error:
            yield Finding("error", str(error), path)


def examine(file: PatternFile) -> Iterator[Finding]:
    """That it was read says that the examples hold."""
    examples = sum(len(pattern.positive) + len(pattern.negative) for pattern in file.patterns)
    heard = len(Patterns.of(file).phrases)
    yield Finding(
        "note", f"{len(file.patterns)} patterns hold, with {examples} examples; the ears expect {heard} sentences"
    )


PATTERNS = ConfigKind(PatternFile, examine)
"""Registered under `sage.configs`."""
