"""A transition that was said while nothing could be written is written down later, in its place."""

from collections import deque
from types import SimpleNamespace

import pytest

from nodes.metabolic_controller import energy
from nodes.metabolic_controller.node import MetabolicController
from nodes.metabolic_controller.store import StoreError
from protocol.messages.metabolism import Metabolic, MetabolicState


class Disk:
    def __init__(self) -> None:
        self.full = True
        self.numbers: list[int] = []

    def entered(self, said: MetabolicState, _account: object) -> None:
        if self.full:
            raise StoreError("full")
        self.numbers.append(said.number)


def test_transitions_wait_for_room_and_keep_their_order():
    disk = Disk()
    said = [MetabolicState(state=Metabolic.REST, number=number, reason="", since_ns=number) for number in (2, 3)]
    metabolism = SimpleNamespace(account=energy.holding(1.0))
    node = SimpleNamespace(_unwritten=deque(said), _store=disk, _metabolism=metabolism)
    with pytest.raises(StoreError):
        MetabolicController._write_transitions(node)
    assert len(node._unwritten) == 2
    disk.full = False
    MetabolicController._write_transitions(node)
    assert (disk.numbers, len(node._unwritten)) == ([2, 3], 0)
