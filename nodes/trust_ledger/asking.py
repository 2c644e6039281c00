"""Calls of `sage trust` to a running ledger."""

from __future__ import annotations

from typing import Any

from runtime import console

LEDGER = "trust_ledger"


def ask(timeout: float, *requests: Any) -> Any:
    """The reply to the last of `requests`, which are asked one after the other. Raises a `SageError`."""
    return console.run(_ask(requests, timeout), timeout)


async def _ask(requests: tuple[Any, ...], timeout: float) -> Any:
    from runtime.client import Client

    reply = None
    async with Client.connect(name="trust", deadline=timeout) as client:
        for request in requests:
            reply = await client.call(LEDGER, request, deadline=timeout)
    return reply
