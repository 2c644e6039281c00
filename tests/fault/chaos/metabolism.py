"""Keeps the metabolic number moving, and watches that it never falls."""

from __future__ import annotations

import asyncio
import contextlib
import random

from protocol.codec import decode, decode_as
from protocol.errors import SageError
from protocol.messages.hub import ListNodes, Registry, Snapshot, SnapshotRequest
from protocol.messages.metabolism import Metabolic, MetabolicState, RequestState
from protocol.topics import TOPICS
from runtime.client import Client
from runtime.node import Event

CONTROLLER = "metabolic_controller"
WISHES = (Metabolic.FOCUS, Metabolic.WAKE, Metabolic.FOCUS, Metabolic.WAKE, Metabolic.REST)
WISH_EVERY_S = (0.5, 3.0)
CALL_S = 5.0
_STATE = TOPICS.by_body(MetabolicState)


class Transitions:
    """The transitions as one who only listens hears of them."""

    def __init__(self) -> None:
        self.first = 0
        self.number = 0
        self.falls: list[str] = []

    async def heard(self, event: Event[MetabolicState]) -> None:
        number = event.body.number
        self.first = self.first or number
        if number < self.number:
            self.falls.append(f"the metabolic number fell from {self.number} to {number}")
        self.number = number


async def keep_wishing(client: Client, seed: int, over: asyncio.Event) -> None:
    """An operator who cannot make up his mind."""
    chance = random.Random(f"{seed}/wishes")
    while not over.is_set():
        await asyncio.sleep(chance.uniform(*WISH_EVERY_S))
        wish = RequestState(state=chance.choice(WISHES), who="chaos")
        with contextlib.suppress(SageError):  # the controller, or the hub, may be dead just now
            await client.call(CONTROLLER, wish, deadline=CALL_S)


async def out_of_step(client: Client) -> list[str]:
    """Who has not taken up the retained transition; empty where all have."""
    try:
        snapshot: Snapshot = await client.call("hub", SnapshotRequest(topics=[_STATE.path]), deadline=CALL_S)
        registry: Registry = await client.call("hub", ListNodes(), deadline=CALL_S)
    except SageError as error:
        return [str(error)]
    numbers = [decode_as(decode(one.frame).body, MetabolicState, place=_STATE.path).number for one in snapshot.values]
    if len(numbers) != 1:
        return [f"{len(numbers)} values of {_STATE.path} are retained"]
    return [
        f"{node.name} has taken up {node.health.metabolic_number if node.health else None}, retained is {numbers[0]}"
        for node in registry.nodes
        if node.health is None or node.health.metabolic_number != numbers[0]
    ]
