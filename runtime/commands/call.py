"""`sage call`: ask a node anything it serves."""

from __future__ import annotations

from typing import Any

import click

from runtime import console


@click.command()
@click.argument("node")
@click.argument("service")
@click.argument("request", default="{}")
@console.common(timeout=10)
def call(node: str, service: str, request: str, as_json: bool, timeout: float) -> None:
    """Ask NODE for SERVICE with REQUEST, a JSON object; parts are shown as they come, then the reply.

    \b
    Examples:
      sage call dialogue node/describe
      sage call model_worker/sensory model/generate '{"messages": [{"role": "user", "content": "hello"}]}'
    """
    console.run(_call(node, service, request, timeout), timeout + 5)


async def _call(node: str, service: str, request: str, timeout: float) -> None:
    import msgspec

    from protocol.errors import ConfigError
    from protocol.services import SERVICES
    from runtime.client import Client

    declared = SERVICES.by_name(service)
    try:
        body: Any = msgspec.json.decode(request, type=declared.request)
    except msgspec.DecodeError as error:
        fields = ", ".join(field.name for field in msgspec.structs.fields(declared.request)) or "nothing"
        raise ConfigError(str(error), place=f"request of {service}", remedy=f"it takes: {fields}") from error
    async with (
        Client.connect(name="call", deadline=timeout) as client,
        client.stream(node, body, deadline=timeout) as stream,
    ):
        async for part in stream:
            console.show_json(part)
        console.show_json(stream.reply)
