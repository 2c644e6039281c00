"""How soon a sleeping whole answers: a question in REST and in DREAM, against the time its model took to load."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from nodes.dialogue.config import LevelConfig, load
from protocol.messages.dialogue import Answer, Ask
from protocol.messages.metabolism import Metabolic, RequestState
from protocol.messages.model import InfoRequest
from runtime.bench.record import at_most
from runtime.bench.session import Outcome, Progress, Session
from runtime.bench.system import sage, setting
from runtime.client import Client

BEYOND_LOADING_S = 1.0
PATIENCE_S = 60.0
ASLEEP = (Metabolic.REST, Metabolic.DREAM)


def measure(session: Session, launch: str, settings: tuple[str, ...], text: str) -> Outcome:
    """Start the launch file, put it to sleep and ask, again and again. Raises `ConfigError` where it does not start."""
    levels = load().levels
    rounds = 1 if session.quick else 5
    progress = session.progress(rounds * len(levels) * len(ASLEEP))
    with tempfile.TemporaryDirectory(prefix="sage-bench-") as directory:
        environment = {**os.environ, "SAGE_RUN_DIR": f"{directory}/run", "SAGE_STATE_DIR": f"{directory}/state"}
        sage(environment, "up", launch, "--detach", *setting(settings))
        try:
            rows = asyncio.run(_ask_sleepers(Path(directory) / "run", levels, rounds, text, progress))
        finally:
            sage(environment, "down")
    for row in rows:
        session.raw(**row)
    worst = {state: max(row["beyond_s"] for row in rows if row["state"] == state) for state in ASLEEP}
    return Outcome(
        figures={
            state: {
                "beyond_s": sorted(row["beyond_s"] for row in rows if row["state"] == state),
                "load_s": sorted(row["load_s"] for row in rows if row["state"] == state),
            }
            for state in ASLEEP
        },
        goals=[
            at_most(
                f"roused_from_{state.lower()}",
                f"first piece of an answer asked in {state}, beyond the loading of its model, seconds at worst",
                target=BEYOND_LOADING_S,
                measured=worst[state],
            )
            for state in ASLEEP
        ],
        text="Each question is the first of its conversation, so all of it is computed. Other load adds to the times.",
    )


async def _ask_sleepers(
    run_dir: Path, levels: tuple[LevelConfig, ...], rounds: int, text: str, progress: Progress
) -> list[dict[str, Any]]:
    rows = []
    async with Client.connect(run_dir, name="bench") as client:
        for number in range(rounds):
            for state in ASLEEP:
                for level in levels:
                    progress.advance(0, f"{level.name} asleep in {state}")
                    await _put_to_sleep(client, state, level)
                    ask = Ask(text=text, session=f"{state}-{level.name}-{number}", source="bench", level=level.name)
                    first_s, answer = await _first_piece(client, ask)
                    loaded = await client.call(level.worker, InfoRequest(), deadline=PATIENCE_S)
                    rows.append(
                        {
                            "state": state,
                            "level": level.name,
                            "first_s": first_s,
                            "load_s": loaded.load_s,
                            "beyond_s": first_s - loaded.load_s,
                            "answered_by": answer.answered_by,
                        }
                    )
                    progress.advance(1, "answered")
    return rows


async def _put_to_sleep(client: Client, state: Metabolic, level: LevelConfig) -> None:
    """Until the state holds and the level's model is out of memory."""
    asleep = RequestState(state=state, who="bench")
    async with asyncio.timeout(PATIENCE_S):
        while True:
            said = await client.call("metabolic_controller", asleep, deadline=PATIENCE_S)
            info = await client.call(level.worker, InfoRequest(), deadline=PATIENCE_S)
            if said.state is state and not info.loaded:
                return
            await asyncio.sleep(0.05)


async def _first_piece(client: Client, ask: Ask) -> tuple[float, Answer]:
    """Seconds to the first piece that says something, and the answer."""
    began = time.monotonic()
    first = 0.0
    async with client.stream("dialogue", ask, deadline=PATIENCE_S) as stream:
        async for part in stream:
            if not first and part.text:
                first = time.monotonic() - began
        answer: Answer = stream.reply
    return first or time.monotonic() - began, answer
