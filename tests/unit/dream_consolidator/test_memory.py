"""Whoever says that memory is wanting, it is said with what to do."""

from __future__ import annotations

import errno

import pytest

from nodes.dream_consolidator.distiller.memory import OutOfMemory, limited

PLENTY = 1 << 46


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("[enforce fail] can't allocate memory"), OSError(errno.ENOMEM, "scandir")]
)
def test_python_torch_and_the_system_say_it_each_in_its_way(error: Exception) -> None:
    with pytest.raises(OutOfMemory, match="ran out of its"), limited(PLENTY):
        raise error


@pytest.mark.parametrize("error", [OSError(errno.ENOENT, "gone"), RuntimeError("shapes differ"), ValueError("no")])
def test_other_errors_are_what_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, limited(PLENTY):
        raise error
    assert raised.value is error
