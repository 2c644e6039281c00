"""`sage key`: this host's identity."""

from __future__ import annotations

import click

from runtime import console


@click.group()
def key() -> None:
    """Manage this host's identity: the key that signs in its name, and that what people said is sealed under."""


@key.command()
@console.common(timeout=5)
def show(as_json: bool, timeout: float) -> None:
    """Show the host's linked context token; on the first run the key file is made. Secrets are never shown."""
    from runtime.identity import KEY_FILE, HostIdentity
    from runtime.paths import state_dir

    directory = state_dir()
    lct = HostIdentity.load(directory).lct
    if as_json:
        console.show_json({"file": str(directory / KEY_FILE), "lct": lct})
        return
    click.echo(f"{lct.id}\n  public key  {lct.binding.hex()}\n  key file    {directory / KEY_FILE}")
