"""Search a configuration's machine once, and remember that nothing was wrong: a controller that restarts must not wait.

What was found sound is remembered by the digest of the configuration and of the program that searched it.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

import msgspec

from nodes.metabolic_controller import accounts, body, config, energy, explore, machine, regions
from nodes.metabolic_controller.config import MetabolismConfig
from runtime.paths import write_atomically


def faults(settings: MetabolismConfig, remembered: Path) -> list[str]:
    """All that is wrong with the configuration; `remembered` is the file that holds the last one found sound."""
    digest = _digest(settings)
    try:
        if remembered.read_text() == digest:
            return []
    except (OSError, UnicodeDecodeError):
        pass  # then it is searched
    found = explore.faults(settings)
    if not found:
        with contextlib.suppress(OSError):  # it is searched again the next time
            write_atomically(remembered, digest.encode())
    return found


def _digest(settings: MetabolismConfig) -> str:
    total = hashlib.sha256(msgspec.json.encode(settings, order="sorted"))
    for module in (accounts, body, config, energy, explore, machine, regions):
        total.update(Path(str(module.__file__)).read_bytes())
    return total.hexdigest()
