"""`python -m runtime.hub`: the hub as a process, under the supervisor or by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from protocol.errors import SageError
from runtime.console import exit_code
from runtime.hub.hub import Hub
from runtime.identity import host_name
from runtime.lock import Lock
from runtime.logs import configure
from runtime.notify import Notifier
from runtime.paths import run_dir

_BEAT_S = 1.0


async def serve() -> None:
    """Hold the run directory, open the hub, and go on until told to stop."""
    directory = run_dir()
    log = configure("hub")
    lock = Lock.hold(directory / "hub.lock", what="the hub of this run directory", remedy="stop it with `sage down`")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    hub = Hub(directory, host_name(), log)
    hub.open()
    notifier = Notifier(os.environ)
    notifier.ready()
    log.info("hub.ready", run_dir=str(directory))
    try:
        while not stop.is_set():
            notifier.beat()
            try:
                async with asyncio.timeout(_BEAT_S):
                    await stop.wait()
            except TimeoutError:
                continue
        notifier.stopping()
    finally:
        await hub.close()
        lock.release()
        log.info("hub.stopped", **hub.stats()["hub"])


def main() -> int:
    try:
        asyncio.run(serve())
    except SageError as error:
        print(f"hub: {error}", file=sys.stderr, flush=True)
        return exit_code(error)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
