"""The weights are what they were: a file of SHA-256 sums over all of them, in the format of `sha256sum`."""

import hashlib
from pathlib import Path

from protocol.errors import ConfigError

SUMS = "SHA256SUMS"
ANSWERING = frozenset(
    {
        *("model.safetensors", "config.json", "generation_config.json"),
        *("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"),
    }
)
"""The files that answers depend on; the others describe."""


def compute(root: Path) -> dict[str, str]:
    """Digest of every file below `root`, by relative path; the file of sums itself left out."""
    files = sorted(path for path in root.rglob("*") if path.is_file() and path.name != SUMS)
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def write(root: Path) -> None:
    """Record what lies below `root` now."""
    lines = [f"{digest}  {name}\n" for name, digest in compute(root).items()]
    (root / SUMS).write_text("".join(lines))


def differences(root: Path) -> list[str]:
    """What is missing, changed or too much, one phrase each; empty if all is as recorded. ConfigError without sums."""
    recorded = _recorded(root / SUMS)
    present = compute(root)
    missing = [f"{name} is missing" for name in recorded if name not in present]
    changed = [f"{name} has changed" for name, digest in recorded.items() if present.get(name, digest) != digest]
    extra = [f"{name} is not recorded" for name in present if name not in recorded]
    return missing + changed + extra


def version(root: Path) -> str:
    """A short name of the weights below `root`, for every figure measured on them: it changes when answers could.

    It is made of the recorded digests, or of the files themselves where nothing is recorded yet.
    """
    digests = _recorded(root / SUMS) if (root / SUMS).exists() else compute(root)
    answering = sorted(f"{name} {digest}\n" for name, digest in digests.items() if Path(name).name in ANSWERING)
    return hashlib.sha256("".join(answering).encode()).hexdigest()[:12]


def _recorded(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise ConfigError(
            f"no sums to compare with: {error.strerror}", place=str(path), remedy="install sage-runtime again"
        ) from error
    return {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}
