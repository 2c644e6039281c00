"""Texts that something is fitted to, as the commands take them. No torch."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from protocol.errors import BadRequest, DeadlineExceeded

if TYPE_CHECKING:
    from nodes.model_worker.loading import LoadedModel


def text_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds `--text`, `--levels` and `--length`."""
    for option in (
        click.option(
            "--length", type=click.IntRange(min=128), default=512, show_default=True, help="Tokens of a context."
        ),
        click.option("--levels", "file", default="configs/levels.yaml", show_default=True, help="The levels file."),
        click.option(
            "--text", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True, help="See above."
        ),
    ):
        command = option(command)
    return command


def read(path: Path) -> Iterator[Any]:
    """Each line of a JSON Lines file. BadRequest for one that says no text, with its number."""
    with path.open(encoding="utf-8") as lines:
        for number, text in enumerate(lines, start=1):
            try:
                found = json.loads(text)
                if isinstance(found, dict) and ("messages" in found or "text" in found):
                    yield found
                    continue
            except ValueError:
                pass
            raise BadRequest(
                f"line {number} is no text",
                place=str(path),
                remedy='each line is {"messages": [{"role": "user", "content": "…"}, …]} or {"text": "…"}',
            )


def cut(texts: Iterator[Any], loaded: LoadedModel, length: int) -> Iterator[Sequence[int]]:
    """Token ids of the texts, in contexts of so many; what is left of a text is a shorter one."""
    from protocol.messages.model import ChatMessage

    for each in texts:
        text = each.get("text")
        if text is None:
            messages = [ChatMessage(role=one["role"], content=one["content"]) for one in each["messages"]]
            text = loaded.tokenizer.render(messages)
        ids = loaded.tokenizer.encode(text).ids
        for start in range(0, len(ids), length):
            yield ids[start : start + length]


class Progress:
    """Shows on a terminal how far it is, and ends it between two contexts once the time is over."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._began = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        gone = time.monotonic() - self._began
        if gone > self._timeout:
            raise DeadlineExceeded(
                f"{done} of {total} contexts within {self._timeout:g} s",
                remedy="the same command goes on from there; give it longer with --timeout",
            )
        if sys.stderr.isatty():
            click.echo(f"\r{done / total:4.0%}  {done}/{total} contexts, {gone:.0f} s", err=True, nl=done == total)
