"""Weights that a dream has learned for a level: a complete model folder, known by the digest of its weights."""

from dataclasses import dataclass
from pathlib import Path

from nodes.model_worker.errors import ModelUnfit
from nodes.model_worker.folder import open_folder, weights_digest
from nodes.model_worker.levels import Level


@dataclass(frozen=True)
class Learned:
    path: Path
    digest: str
    """`folder.weights_digest` of the folder."""
    base: str = ""
    """`folder.weights_digest` of the level's own model it was learned from; empty if nobody said."""

    def check(self, level: Level) -> None:
        """Make sure that the folder holds these weights and that they were learned from this level's own model.

        Raises ModelUnfit, or the errors of `open_folder`.
        """
        found = weights_digest(open_folder(self.path))
        if found != self.digest:
            raise ModelUnfit(
                f"holds weights {found}, not {self.digest}",
                place=str(self.path),
                remedy="`sage dream` learns them anew",
            )
        own = _own_digest(level)
        if self.base not in ("", own):
            raise ModelUnfit(
                f"was learned from weights {self.base}; level {level.name} now has {own}",
                place=str(self.path),
                remedy="the next dream starts from the level's own model",
            )


def _own_digest(level: Level) -> str:
    from nodes.model_worker.loading import locate

    return weights_digest(open_folder(locate(level)))
