"""The levels: which model each one runs, on what, and how much it may hold. Their order is their rank.

    levels = load()                      # configs/levels.yaml
    levels.by_name("tactical").context   # tokens

A level's `model` is an absolute folder, a folder below the install, or a hub id such as `Qwen/Qwen2.5-0.5B-Instruct`.
"""

import re
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from protocol.errors import ConfigError
from runtime import config, paths
from runtime.units import Size

Positive = Annotated[int, Meta(ge=1)]
LevelName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
DeviceName = Literal["auto", "cpu", "cuda"]
DtypeName = Literal["auto", "float32", "bfloat16", "float16"]

DTYPE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


class Shape(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The sizes that decide what a decoder of the Qwen2 kind weighs."""

    hidden: Positive
    ffn: Positive
    layers: Positive
    heads: Positive
    kv_heads: Positive
    head_dim: Positive
    vocab: Positive
    tied: bool = True
    """The output matrix is the embedding."""


class Level(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: LevelName
    model: Annotated[str, Meta(min_length=1)]
    device: DeviceName = "auto"
    """`auto`: CUDA where there is any."""
    dtype: DtypeName = "auto"
    """`auto`: as the weights are stored, but no float16 on a processor."""
    threads: Positive = 1
    context: Annotated[int, Meta(ge=2)]
    """Tokens of question and answer together; the model's own limit holds where it is lower."""
    max_new_tokens: Positive
    """Tokens of an answer, unless the request says otherwise."""
    prefill_chunk: Positive = 128
    """Tokens computed, kept, shared and written down together; cancel and deadline are looked at in between.

    On a processor half as many take nearly as long (reading the weights is what takes it), and twice as many nearly
    twice; `sage bench kv --chunk` tells of another machine.
    """
    state: Size = 64 << 20
    """Bytes of memory for attention state, all conversations together."""
    disk: Size = 1 << 30
    """Bytes of disk for attention state that outlives the process; 0 keeps none."""
    codec: Literal["lossless", "raw", "int8", "int4", "int3", "learned"] = "lossless"
    """How attention state is made small on the disk. What is not `lossless` or `raw` comes back a little different: a
    conversation goes on from it unless a request asks for more. `learned` wants `sage kv fit LEVEL`."""
    shared: Size = 64 << 20
    """Bytes of shared memory in which the workers of this host find each other's chunks; 0 shares none."""
    backend: Literal["transformers", "openai"] = "transformers"
    """`openai`: the answers come from a server with OpenAI's interface at `url`, and `model` is its name there."""
    url: str = ""
    """Of the server, such as http://127.0.0.1:8000/v1."""
    api_key: Annotated[str, Meta(pattern=r"^[A-Za-z_]*$")] = ""
    """The environment variable that holds the server's key; empty: none is sent."""
    download: bool = False
    """Whether a hub id may be fetched. Otherwise nothing ever leaves the machine."""
    dream: Literal["unload", "hold"] = "unload"
    """What DREAM does to this model: the dreamer usually needs the memory."""
    shape: Shape | None = None
    """Of a model that is not on this machine yet, so that `sage check` can weigh it."""

    def __post_init__(self) -> None:
        if (self.backend == "openai") != bool(self.url):
            raise ValueError("`backend: openai` and `url` go together")
        if self.url and not self.url.startswith(("http://", "https://")):
            raise ValueError(f"the url {self.url!r} begins with neither http:// nor https://")


class Levels(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    levels: Annotated[tuple[Level, ...], Meta(min_length=1)]
    """Least capable first."""

    def __post_init__(self) -> None:
        names = self.names
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"the level {min(twice)!r} is given twice")

    @property
    def names(self) -> list[str]:
        return [level.name for level in self.levels]

    def by_name(self, name: str) -> Level:
        """The level of that name. ConfigError names the ones there are."""
        for level in self.levels:
            if level.name == name:
                return level
        raise ConfigError(f"no level {name!r}; there are {', '.join(self.names)}{config.suggest(name, self.names)}")


def load(path: Path | str | None = None) -> Levels:
    """The levels in the file at `path`, by default those that ship. A relative path may lie below the install."""
    if path is None:
        return config.load(paths.shipped("configs/levels.yaml"), Levels)
    return config.load(paths.located(path), Levels)


def source(model: str) -> Path | str:
    """Where `model` comes from: a Path to a folder, whether or not it exists, or a hub id (a str)."""
    given = Path(model).expanduser()
    if given.is_absolute():
        return given
    below_install = paths.shipped("configs").parent / given
    if below_install.is_dir() or not _HUB_ID.fullmatch(model):
        return below_install
    return model


def settled_dtype(wanted: DtypeName, stored: str, device: str) -> str:
    """The dtype a model runs in. `auto` is as stored, but float32 for float16 on a processor, which is slow at it."""
    if wanted != "auto":
        return wanted
    if stored not in DTYPE_BYTES or (stored == "float16" and device == "cpu"):
        return "float32"
    return stored
