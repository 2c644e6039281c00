"""Logging for every process: structlog events with fields, on stderr, one JSON object a line or coloured for people.

Under the supervisor SAGE_LOG=json: it frames, colours and keeps the lines. What people said never reaches a log: fields
that could hold it are replaced by their size.
"""

import os
import sys
from typing import Any, Literal

import structlog
from structlog.typing import EventDict, WrappedLogger

from protocol.errors import ConfigError
from runtime.conversion import suggest

Format = Literal["json", "console"]

LEVELS = ("debug", "info", "warning", "error", "critical")
SPOKEN = frozenset({"text", "prompt", "answer", "question", "reply", "words", "transcript", "messages", "ids", "audio"})
"""Names of fields that hold what people said, or what it can be read from."""


def configure(node: str, *, format_: Format | None = None, level: str | None = None) -> Any:
    """Set up logging for this process and return its logger. SAGE_LOG and SAGE_LOG_LEVEL fill what is not given."""
    chosen = format_ or ("json" if os.environ.get("SAGE_LOG") == "json" else "console")
    threshold = level or os.environ.get("SAGE_LOG_LEVEL") or "info"
    if threshold not in LEVELS:
        listed = ", ".join(LEVELS)
        raise ConfigError(f"{threshold!r} is not one of {listed}{suggest(threshold, LEVELS)}", place="SAGE_LOG_LEVEL")
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            withhold,
            *_renderers(chosen),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    return structlog.get_logger(node=node)


def withhold(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace what people said by its size: `text="turn left"` becomes `text="withheld: 9"`."""
    for name in SPOKEN.intersection(event):
        value = event[name]
        event[name] = f"withheld: {len(value)}" if hasattr(value, "__len__") else "withheld"
    return event


def _renderers(chosen: Format) -> list[Any]:
    if chosen == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty() and "NO_COLOR" not in os.environ)]
