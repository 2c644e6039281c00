"""Command groups that other packages add verbs to by being installed."""

from __future__ import annotations

from typing import Any

import click

from protocol.errors import SageError
from runtime import console, plugins


class Verbs(click.Group):
    """A group with commands of its own, and those registered as entry points under `points`, loaded when used."""

    def __init__(self, *arguments: Any, points: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._points = points

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *plugins.names(self._points)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in plugins.names(self._points):
            return own
        try:
            command: click.Command = plugins.load(self._points, cmd_name)
        except SageError as error:
            console.fail(error)
        return command
