"""How much memory the training process may take.

The limit is RLIMIT_DATA: it needs no privilege, counts what a process takes for itself (weights that are only mapped
from their file are not), and an allocation beyond it fails where it is asked for, with a word. A control group's limit
needs its owner's leave and kills without one. A GPU's own memory is not part of it; there torch says when it is full.
"""

from __future__ import annotations

import errno
import resource
from collections.abc import Iterator
from contextlib import contextmanager

from nodes.model_worker.host import available_memory
from protocol.errors import SageError
from runtime.units import format_size

_FREE = 0.9
"""Of what is free, that `auto` takes."""
_SIGNS = ("can't allocate memory", "not enough memory", "out of memory", "bad allocation", "bad_alloc")
"""What torch's messages say of an allocation that failed; on a processor it raises a plain RuntimeError."""


class OutOfMemory(SageError):
    """The training process needs more memory than it may take."""

    code = "training_memory"


def allowed(setting: int | str) -> int:
    """Bytes that the training process may take: as set, or most of what is free now."""
    return int(available_memory() * _FREE) if isinstance(setting, str) else setting


@contextmanager
def limited(limit: int) -> Iterator[None]:
    """Inside, this process takes no more than `limit` bytes; OutOfMemory says when that was too little."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    hard = before[1]
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        if not _is_want_of_memory(error):
            raise
        raise OutOfMemory(
            f"the training process ran out of its {format_size(limit)}",
            place="train.memory",
            remedy="lower train.at_once or teach.at_once, set train.recompute or `method: lora`, or raise train.memory",
        ) from error
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _is_want_of_memory(error: Exception) -> bool:
    match error:
        case MemoryError():
            return True
        case OSError():  # the system says so too, where it needs some for us
            return error.errno == errno.ENOMEM
        case _:
            return any(sign in str(error) for sign in _SIGNS)
