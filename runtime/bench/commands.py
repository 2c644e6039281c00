"""`sage bench …`: benchmarks, each ending in one record with its goals."""

from __future__ import annotations

import click

from runtime.bench.session import Outcome, Session, measured


@click.group()
def bench() -> None:
    """Measure this installation, side by side with what it is compared to."""


@bench.command()
@measured("bus")
@click.option("--peers", is_flag=True, help="Install dora-rs and eclipse-zenoh into a cache of their own, if missing.")
def bus(session: Session, peers: bool) -> Outcome:
    """Events and calls through one hub: time, rate, losses; beside raw pyzmq, dora-rs and zenoh."""
    from runtime.bench.bus import measure

    return measure(session, install_peers=peers)
