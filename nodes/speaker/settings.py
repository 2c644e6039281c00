"""`configs/voice.yaml`: how sage speaks. What it says of hearing belongs to the ears, which read it there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec

from runtime import config, paths
from runtime.units import Duration


class Speaking(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    voice: Annotated[str, msgspec.Meta(min_length=1)] = "en-us"
    words_per_minute: Annotated[int, msgspec.Meta(ge=80, le=450)] = 150
    patience: Duration = 10.0
    keep: Annotated[int, msgspec.Meta(ge=1)] = 200


class VoiceFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    speaking: Speaking = Speaking()
    hearing: dict[str, Any] = {}


def load(path: Path | str = "") -> Speaking:
    """The settings in the file at `path`, by default those that ship."""
    return config.load(path or paths.shipped("configs/voice.yaml"), VoiceFile).speaking
