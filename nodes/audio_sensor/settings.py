"""`configs/voice.yaml`: how sage hears. What it says of speaking belongs to the speaker, which reads it there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from nodes.audio_sensor.artefacts import Vocabulary
from nodes.audio_sensor.sphinx import SphinxSettings
from nodes.audio_sensor.utterances import Endpointing, frames
from runtime import config, paths, plugins
from runtime.units import Duration

PHRASES, TEXTS = "sage.speech_phrases", "sage.speech_text"
"""Entry-point groups: each names a function without arguments that returns lines of text."""

Probability = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Endpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When an utterance begins and ends."""

    start: Probability = 0.5
    start_frames: Annotated[int, msgspec.Meta(ge=1)] = 3
    start_window: Annotated[int, msgspec.Meta(ge=1)] = 5
    preroll: Duration = 0.256
    end: Probability = 0.35
    pause_after_command: Duration = 0.2
    pause: Duration = 0.5
    shortest: Duration = 0.2
    longest: Duration = 30.0
    split_within: Duration = 5.0

    def __post_init__(self) -> None:
        if self.start_frames > self.start_window:
            raise ValueError("start_frames cannot exceed start_window")
        if self.end > self.start:
            raise ValueError("end cannot exceed start: an utterance would end as it begins")
        if self.pause_after_command >= self.pause:
            raise ValueError("pause_after_command has to be shorter than pause")
        if self.split_within >= self.longest:
            raise ValueError("split_within has to be shorter than longest")

    def in_frames(self) -> Endpointing:
        return Endpointing(
            start_probability=self.start,
            start_frames=self.start_frames,
            start_window=self.start_window,
            preroll=frames(self.preroll),
            end_probability=self.end,
            short_pause=frames(self.pause_after_command),
            long_pause=frames(self.pause),
            shortest=frames(self.shortest),
            longest=frames(self.longest),
            split_search=frames(self.split_within),
        )


class Recognition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How sound becomes words."""

    noise_floor_db: Annotated[float, msgspec.Meta(ge=0)] = 25.0
    """Decibels below the speech."""
    command_distance: Share = 0.60
    densities: Annotated[int, msgspec.Meta(ge=1, le=256)] = 8
    phrases: tuple[str, ...] = ()
    pronunciations: dict[str, str] = {}

    def for_sphinx(self) -> SphinxSettings:
        return SphinxSettings(self.noise_floor_db, self.command_distance, self.densities)


class Hearing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    endpoint: Endpoint = Endpoint()
    recognition: Recognition = Recognition()


class VoiceFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    hearing: Hearing = Hearing()
    speaking: dict[str, Any] = {}


def load(path: Path | str = "") -> Hearing:
    """The settings in the file at `path`, by default those that ship."""
    return config.load(path or paths.shipped("configs/voice.yaml"), VoiceFile).hearing


def vocabulary(recognition: Recognition) -> Vocabulary:
    """What may be said: the phrases of the file, and all that installed packages register."""
    return Vocabulary(
        phrases=(*recognition.phrases, *_provided(PHRASES)),
        texts=tuple(_provided(TEXTS)),
        pronunciations=recognition.pronunciations,
    )


def _provided(group: str) -> Iterable[str]:
    providers: Mapping[str, Callable[[], Iterable[str]]] = plugins.load_all(group)
    for provide in providers.values():
        yield from provide()
