"""A second set of weights beside those that answer: loaded on another thread, while the first go on answering.

transformers builds a model under settings of the whole process (the default dtype, patched initialisers), which a model
that computes meanwhile would see. So nothing is built here: the structure is copied from the model there is, and only
numbers are read.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from safetensors import SafetensorError, safe_open

from nodes.model_worker import folder as folders
from nodes.model_worker import loading
from nodes.model_worker.errors import ModelIncomplete, ModelMemory, ModelUnfit
from nodes.model_worker.folder import ModelFolder
from nodes.model_worker.learned import Learned
from nodes.model_worker.levels import Level
from nodes.model_worker.loading import LoadedModel
from nodes.model_worker.memory import HEADROOM

_ALIKE = ("config", "tokenizer", "template")
"""Parts of the fingerprint that the weights must share with the model whose structure they take."""


def prepare(level: Level, learned: Learned | None, like: LoadedModel | None) -> LoadedModel:
    """The weights, None being the level's own, checked and loaded beside `like`. For a thread that nobody waits for.

    Raises what `Learned.check` and `load_beside` raise; ModelUnfit where nothing is loaded any more.
    """
    if learned is not None:
        learned.check(level)
    if like is None:
        raise ModelUnfit("there is nothing beside which to load it", place=f"level {level.name}")
    return load_beside(level, like, folders.open_folder(learned.path if learned else loading.locate(level)))


def load_beside(level: Level, like: LoadedModel, folder: ModelFolder) -> LoadedModel:
    """The folder's weights as a model of the same structure as `like`, which is left as it is.

    Raises ModelMemory where both do not fit, ModelUnfit where the structure is another (it is to be loaded in place of
    the first then), ModelIncomplete for files that do not hold all of its weights.
    """
    found = folders.fingerprint(folder, like.dtype)
    if other := [part for part in _ALIKE if found[part] != like.fingerprint[part]]:
        raise ModelUnfit(f"differs in {', '.join(other)} from the model beside it", place=str(folder.path))
    free = loading.free_bytes(like.device) - HEADROOM - level.state
    if like.weight_bytes > free:
        raise ModelMemory(
            f"does not fit beside the model that answers: it needs {like.weight_bytes >> 20} MiB, "
            f"{max(0, free) >> 20} MiB are free",
            place=str(folder.path),
            remedy="end what else takes memory, or let new weights replace the others at once",
        )
    try:
        model = copy.deepcopy(like.model)
        _read(model, folder)
    except torch.OutOfMemoryError as error:
        raise ModelMemory(f"memory ran out while it was loaded: {error}", place=str(folder.path)) from error
    except (OSError, RuntimeError, SafetensorError) as error:
        raise ModelIncomplete(
            f"does not load: {type(error).__name__}: {error}",
            place=str(folder.path),
            remedy="let a dream learn it anew",
        ) from error
    return replace(like, model=model, folder=folder.path, fingerprint=found, version=folders.version(found))


def _read(model: torch.nn.Module, folder: ModelFolder) -> None:
    """Read every parameter from the files; one that is tied to another is read under either name."""
    parameters = dict(model.named_parameters(remove_duplicate=False))
    awaited = {id(parameter) for parameter in parameters.values()}
    for file in folder.weights:
        with safe_open(file, framework="pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - it is no mapping
                parameter = parameters.get(name)
                if parameter is None:
                    raise ModelIncomplete(f"holds {name!r}, which the model has not", place=str(file))
                tensor = tensors.get_tensor(name)
                if tensor.shape != parameter.shape:
                    shapes = f"{tuple(tensor.shape)}, not {tuple(parameter.shape)}"
                    raise ModelIncomplete(f"{name} is of shape {shapes}", place=str(file))
                parameter.data.copy_(tensor)
                awaited.discard(id(parameter))
    if awaited:
        absent = sorted(name for name, parameter in parameters.items() if id(parameter) in awaited)
        raise ModelIncomplete(f"lacks {len(absent)} weights, such as {absent[0]}", place=str(folder.path))
