"""A kept conversation looked into, token by token: what `sage kv explore` shows.

Keys and values are read from the disk; only attention is computed, by forwarding single tokens over what lies before
them. Nothing is changed.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nodes.model_worker import generation, loading
from nodes.model_worker.kv.chunkfile import Content
from nodes.model_worker.kv.codecs.choosing import codecs_of
from nodes.model_worker.kv.codecs.learned import FOLDER as FITS
from nodes.model_worker.kv.exactness import Exactness, exactness
from nodes.model_worker.kv.manifest import Manifest
from nodes.model_worker.kv.pruning.choosing import best
from nodes.model_worker.kv.state import AttentionState
from nodes.model_worker.kv.vault import Vault
from nodes.model_worker.levels import Level
from nodes.model_worker.loading import LoadedModel

QUERIES = 16
"""Last tokens whose attention tells which earlier ones matter (Li et al. 2024, SnapKV, section 3)."""


@dataclass(frozen=True)
class View:
    """One token of a conversation."""

    index: int
    id: int
    text: str
    exactness: str
    key_norms: list[float]
    """Layer → Euclidean norm of its key, mean over heads."""
    value_norms: list[float]
    attended: list[tuple[int, str, float]]
    """The tokens before it that it attends to most: (index, text, share), mean over layers and heads."""


@dataclass(frozen=True)
class Pruned:
    """What pruning to a share of the tokens would keep."""

    kept: list[int]
    mass: float
    """Share of the last tokens' attention that falls on what is kept."""


class Explorer:
    """Holds the model and a conversation's whole state. `tokens` are its ids in order."""

    def __init__(self, model: LoadedModel, state: Tensor, ids: list[int], classes: list[Exactness]) -> None:
        """`state`: [layers, 2, kv_heads, tokens, head_dim]. `classes`: of each token."""
        self.tokens = ids
        self._model = model
        self._state = state
        self._classes = classes
        model.model.set_attn_implementation("eager")  # the only one that shows its weights

    def text(self, index: int) -> str:
        """Of one token, special ones as they are written."""
        return str(self._model.tokenizer.spell([self.tokens[index]]))

    def view(self, index: int, most: int = 6) -> View:
        """Raises IndexError outside of the conversation."""
        if not 0 <= index < len(self.tokens):
            raise IndexError(index)
        norms = self._state[..., index, :].float().norm(dim=-1).mean(dim=-1)  # [layers, 2]
        shares = self.attention(index)
        top = sorted(range(len(shares)), key=lambda at: -shares[at])[:most]
        return View(
            index=index,
            id=self.tokens[index],
            text=self.text(index),
            exactness=self._classes[index].label,
            key_norms=[round(float(each), 3) for each in norms[:, 0]],
            value_norms=[round(float(each), 3) for each in norms[:, 1]],
            attended=[(at, self.text(at), round(shares[at], 4)) for at in top],
        )

    @torch.inference_mode()
    def attention(self, index: int) -> list[float]:
        """Share of token `index`'s attention on each token up to itself, mean over layers and heads; they sum to 1."""
        found = self._forward_attentions(index)  # [layers, heads, tokens]
        return [float(each) for each in found.mean(dim=(0, 1))]

    def mass(self) -> list[float]:
        """Share of attention that each token gets from the last QUERIES ones, which sum to 1."""
        total = torch.zeros(len(self.tokens))
        queries = range(max(0, len(self.tokens) - QUERIES), len(self.tokens))
        for query in queries:
            shares = torch.tensor(self.attention(query))
            total[: query + 1] += shares / len(queries)
        return [float(each) for each in total]

    def pruned(self, share: float) -> Pruned:
        """Keep `share` of the tokens: the first few, the last, and between them those that attention falls on most."""
        mass = self.mass()
        kept = best(torch.tensor(mass), max(1, round(share * len(mass))))
        return Pruned(kept=kept, mass=round(sum(mass[at] for at in kept), 4))

    def continued(self, index: int, tokens: int, kept: Collection[int] | None = None) -> str:
        """What the model says, greedily, after the conversation up to and with token `index`.

        `kept`: what is left of the tokens before it, all if None.
        """
        state = self._until(index)
        if kept is not None and index:
            state.prune([place for place in sorted(kept) if place < index] or [0])
        said: list[int] = []
        logits = generation.forward(self._model.model, state, [self.tokens[index]])
        for _ in range(tokens):
            said.append(int(logits.argmax()))
            if said[-1] in self._model.stop_ids:
                break
            logits = generation.forward(self._model.model, state, [said[-1]])
        return str(self._model.tokenizer.spell(said))

    def norms(self) -> tuple[Tensor, Tensor]:
        """Of keys and of values: [layers, tokens] each."""
        found = self._state.float().norm(dim=-1).mean(dim=2)
        return found[:, 0], found[:, 1]

    def _until(self, index: int) -> AttentionState:
        """The state of what lies before token `index`."""
        state = AttentionState(self._model.state.layers, size=1, device=self._model.device)
        if index:
            state.append(self._state[..., :index, :], self.tokens[:index], cold=False)
        return state

    def _forward_attentions(self, index: int) -> Tensor:
        state = self._until(index)
        output: Any = self._model.model(
            input_ids=torch.tensor([[self.tokens[index]]], device=self._model.device),
            past_key_values=state.cache,
            use_cache=True,
            output_attentions=True,
        )
        return torch.stack([layer[0, :, -1].float().cpu() for layer in output.attentions])


def explorer(vault: Vault, level: Level, fingerprint: dict[str, str], kept: Manifest) -> Explorer:
    """Read all of a conversation. Raises Unreadable, and the errors of loading."""
    model = loading.load(level)
    contents: list[Content] = [vault.read_chunk(chunk.address, fingerprint) for chunk in kept.line]
    codecs = codecs_of(model, "lossless", vault.directory.with_name(FITS))
    state = torch.cat([codecs.tensor(content) for content in contents], dim=3)
    ids = [token for content in contents for token in content.ids]
    classes = [exactness(content.exactness) for content in contents for _ in content.ids]
    return Explorer(model, state, ids, classes)


def lines(view: View, pruned: Pruned, total: int) -> list[str]:
    """A view as text."""
    kept = "kept" if view.index in set(pruned.kept) else "dropped"
    rows = [
        f"token {view.index} of {total}: {view.text!r} (id {view.id}), class {view.exactness}",
        "  keys    " + " ".join(f"{each:7.2f}" for each in view.key_norms) + "   norm, layer by layer",
        "  values  " + " ".join(f"{each:7.2f}" for each in view.value_norms),
        f"  pruning to {len(pruned.kept)} tokens: {kept} ({pruned.mass:.0%} of the last tokens' attention stays)",
        "  attends to",
    ]
    return rows + [f"    {share:6.1%}  {at:>6}  {text!r}" for at, text, share in view.attended]


def plot(explored: Explorer, pruned: Pruned) -> Any:
    """A matplotlib figure: norms of keys and values over layers and tokens, attention mass, and what pruning keeps."""
    from matplotlib.figure import Figure

    keys, values = explored.norms()
    mass = explored.mass()
    figure = Figure(figsize=(12, 8), layout="constrained")
    top, middle, bottom = figure.subplots(3, 1, sharex=True)
    for axis, data, what in ((top, keys, "keys"), (middle, values, "values")):
        image = axis.imshow(data.numpy(), aspect="auto", origin="lower", interpolation="nearest")
        axis.set_ylabel("layer")
        axis.set_title(f"norm of the {what}")
        figure.colorbar(image, ax=axis)
    bottom.bar(range(len(mass)), mass, color="lightgrey", label="dropped by pruning")
    bottom.bar(pruned.kept, [mass[at] for at in pruned.kept], color="tab:blue", label="kept")
    bottom.set_yscale("log")
    bottom.set_xlabel("token")
    bottom.set_ylabel("share")
    bottom.set_title(f"attention of the last {QUERIES} tokens")
    bottom.legend()
    return figure
