"""`sage bench …` and `sage experiment …`: benchmarks and experiments, each ending in one record with its goals."""

from __future__ import annotations

import click

from runtime.bench.session import Outcome, Session, measured
from runtime.verbs import Verbs


@click.group(cls=Verbs, points="sage.benchmarks")
def bench() -> None:
    """Measure this installation, side by side with what it is compared to."""


@click.group(cls=Verbs, points="sage.experiments")
def experiment() -> None:
    """Try what the system is made for, side by side with what it is compared to."""


@bench.command()
@measured("bus")
@click.option("--peers", is_flag=True, help="Install dora-rs and eclipse-zenoh into a cache of their own, if missing.")
def bus(session: Session, peers: bool) -> Outcome:
    """Events and calls through one hub: time, rate, losses; beside raw pyzmq, dora-rs and zenoh."""
    from runtime.bench.bus import measure

    return measure(session, install_peers=peers)


@bench.command()
@measured("mailbox")
def mailbox(session: Session) -> Outcome:
    """16 MiB from one process to another: through shared memory, and through the hub."""
    from runtime.mailbox.bench import measure

    return measure(session)


@bench.command()
@measured("system")
@click.option("--launch", default="local", show_default=True, help="Launch file to start.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="An argument of the launch file.")
def system(session: Session, launch: str, settings: tuple[str, ...]) -> Outcome:
    """A whole system at rest: time until ready, memory, idle processor, time until stopped."""
    from runtime.bench.system import measure

    return measure(session, launch, settings)
