"""The processes that train one student together, through accelerate; usually one, which then does without the others.

    torchrun --nproc-per-node 2 -m nodes.dream_consolidator.distiller.distill JOB_FOLDER STATE_DIR
    torchrun --nnodes 2 --node-rank N --master-addr HOST -m nodes.dream_consolidator.distiller.distill JOB STATE_DIR

The first of all does everything else of a dream and is the only one that writes; the others wait for their lessons,
hold the same weights, compute their share of every step, and end when training does. They read `job.json` and the
student's folder, which must lie at the same paths on every host, and get all else from the first over the network
between them, which must be trusted: what travels there is not encrypted.

Gradients are summed once a step, after its last part, instead of by a wrapper around the model: a process without a
lesson in a short batch takes part like any other, and the sum is the gradient of the whole batch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor

from nodes.dream_consolidator.distiller.workbench import Roused

_PATIENCE = timedelta(days=7)
"""The others wait as long as a teacher may take to answer everything."""


class Crew:
    """One of the `size` processes that train together."""

    def __init__(self, rank: int, size: int, device: str) -> None:
        self.rank = rank
        self.size = size
        self._device = device
        self._dismissed = size == 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def share_of(self, indices: list[int]) -> list[int]:
        """Those of a step's lessons that this process computes."""
        return indices[self.rank :: self.size]

    def add(self, tensors: Iterable[Tensor]) -> None:
        """Make each tensor the sum of every process's, in place."""
        if self.size > 1:
            from accelerate.utils import reduce

            for tensor in tensors:
                tensor.copy_(reduce(tensor, "sum"))

    def spread(self, tensors: Iterable[Tensor]) -> None:
        """Make each tensor the first process's, in place."""
        if self.size > 1:
            from accelerate.utils import broadcast

            for tensor in tensors:
                broadcast(tensor)

    def agree(self, check: Callable[[], None]) -> None:
        """Raise `Roused` in all processes if `check` does in one of them."""
        stop = torch.zeros((), device=self._device)
        try:
            check()
        except Roused:
            stop += 1
        self.add([stop])
        if stop:
            self._dismissed = True
            raise Roused

    def tell(self, data: bytes) -> None:
        """From the first process to the others, which `listen`."""
        if self.size > 1:
            self._pass(bytearray(data))

    def listen(self) -> bytes:
        """What the first process tells; `Roused` where it dismisses the others instead."""
        data = self._pass(bytearray())
        if not data:
            raise Roused
        return data

    def dismiss(self) -> None:
        """The others, if they still wait for a word of the first, may end."""
        if self.first and not self._dismissed:
            self._pass(bytearray())
        self._dismissed = True

    def disperse(self) -> None:
        """Training is over: nobody waits for anybody from here on."""
        self._dismissed = True

    def _pass(self, data: bytearray) -> bytes:
        length = torch.tensor(len(data), device=self._device)
        self.spread([length])
        if not length:
            return b""
        carried = (
            torch.frombuffer(data, dtype=torch.uint8) if self.first else torch.empty(int(length), dtype=torch.uint8)
        )
        carried = carried.to(self._device)
        self.spread([carried])
        return carried.cpu().numpy().tobytes()


ALONE = Crew(0, 1, "cpu")


def join(device: str) -> Crew:
    """The place of this process among those that `torchrun` started; ALONE where it started none."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return ALONE
    from accelerate import PartialState

    options: dict[str, Any] = {"timeout": _PATIENCE}
    state = PartialState(cpu=device == "cpu", **options)
    return Crew(state.process_index, state.num_processes, device)
