"""Calls of `sage dream` to a running consolidator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runtime import console

CONSOLIDATOR = "dream_consolidator"


def ask(request: Any, timeout: float) -> Any:
    """The reply. Raises a `SageError`."""
    return console.run(_ask(request, timeout), timeout)


def follow(request: Any, timeout: float, on_part: Callable[[Any], None]) -> Any:
    """The reply to a request whose parts stream back; `on_part` is given each. Raises a `SageError`."""
    return console.run(_follow(request, timeout, on_part), timeout)


async def _ask(request: Any, timeout: float) -> Any:
    from runtime.client import Client

    async with Client.connect(name="dream", deadline=timeout) as client:
        return await client.call(CONSOLIDATOR, request, deadline=timeout)


async def _follow(request: Any, timeout: float, on_part: Callable[[Any], None]) -> Any:
    from runtime.client import Client

    async with (
        Client.connect(name="dream", deadline=timeout) as client,
        client.stream(CONSOLIDATOR, request, deadline=timeout) as parts,
    ):
        async for part in parts:
            on_part(part)
        return parts.reply
