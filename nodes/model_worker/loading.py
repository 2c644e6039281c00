"""Loads a causal language model from a folder or the local hub cache, and frees it. Nobody else loads.

Nothing is downloaded unless the level says so; nothing is unpickled; no code of the model's own is run.
"""

import gc
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nodes.model_worker import folder as folders
from nodes.model_worker.errors import ModelIncomplete, ModelMemory, ModelMissing, ModelUnfit
from nodes.model_worker.folder import ModelFolder
from nodes.model_worker.host import available_memory
from nodes.model_worker.kv.shape import StateShape
from nodes.model_worker.levels import DTYPE_BYTES, Level, settled_dtype, source
from nodes.model_worker.memory import Needs
from nodes.model_worker.tokenizer import ChatTokenizer

_NEEDED = ("*.safetensors", "*.json", "*.txt", "*.jinja", "*.model")
"""Files to fetch of a hub repository."""


@dataclass(frozen=True)
class LoadedModel:
    model: Any
    """A transformers model in evaluation mode, without gradients."""
    tokenizer: ChatTokenizer
    folder: Path
    device: str
    dtype: str
    fingerprint: dict[str, str]
    version: str
    """The fingerprint as one word."""
    parameters: int
    weight_bytes: int
    state: StateShape
    """What its attention state looks like."""
    vocab: int
    context: int
    """Tokens: the level's limit or the model's own, whichever is lower."""
    stop_ids: frozenset[int]
    needs: Needs
    """What a request takes of memory."""


def load(level: Level, path: Path | None = None) -> LoadedModel:
    """Load the level's model, or the weights of the same kind in the folder `path`.

    Raises ModelMissing, ModelIncomplete, ModelUnfit or ModelMemory, each with the place and what to do.
    """
    torch.set_num_threads(level.threads)
    folder = folders.open_folder(path or locate(level))
    device = settled_device(level)
    dtype = settled_dtype(level.dtype, folder.stored_dtype, device)
    _check_memory(folder, device, dtype)
    model = _load_model(folder, device, dtype)
    _check_layers(model, folder)
    fingerprint = folders.fingerprint(folder, dtype)
    config = model.config.get_text_config()
    return LoadedModel(
        model=model,
        tokenizer=_load_tokenizer(folder),
        folder=folder.path,
        device=device,
        dtype=dtype,
        fingerprint=fingerprint,
        version=folders.version(fingerprint),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        weight_bytes=sum(parameter.nbytes for parameter in model.parameters()),
        state=_state_shape(config, dtype),
        vocab=config.vocab_size,
        context=min(level.context, getattr(config, "max_position_embeddings", None) or level.context),
        stop_ids=_stop_ids(model),
        needs=needs(config, dtype, level.prefill_chunk),
    )


def arithmetic(device: str) -> str:
    """What decides the last bits of a sum beside the model: program, processor, threads."""
    if device == "cuda":
        return f"torch {torch.__version__} {torch.cuda.get_device_name()}"
    return f"torch {torch.__version__} {torch.backends.cpu.get_cpu_capability()} {torch.get_num_threads()} threads"


def rope(model: Any) -> str:
    """How the model tells positions apart: the parameters of its rotary embedding, "none" if it has none."""
    found = getattr(model.config.get_text_config(), "rope_parameters", None)
    return json.dumps(found, sort_keys=True) if found else "none"


def free_memory() -> None:
    """Give back to the system what models no longer referred to had taken."""
    import ctypes

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc alone
    if trim is not None:
        trim(0)


def locate(level: Level) -> Path:
    """The level's folder; for a hub id the snapshot in the local cache, fetched first where the level allows it."""
    where = source(level.model)
    if isinstance(where, Path):
        return where
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(where, local_files_only=not level.download, allow_patterns=list(_NEEDED)))
    except LocalEntryNotFoundError as error:
        remedy = "check the network" if level.download else "set `download: true` for this level, or name a folder"
        raise ModelMissing("is not in the local hub cache", place=where, remedy=remedy) from error
    except (HfHubHTTPError, OSError) as error:
        raise ModelMissing(f"cannot be fetched: {error}", place=where, remedy="check the id and the network") from error


def settled_device(level: Level) -> str:
    """`cpu` or `cuda`. ModelUnfit where CUDA is demanded and there is none."""
    if level.device == "cuda" and not torch.cuda.is_available():
        raise ModelUnfit(
            "is to run on CUDA, and torch sees no such device",
            place=f"level {level.name}",
            remedy="set `device: auto` or cpu, or install a CUDA build of torch",
        )
    return "cuda" if level.device != "cpu" and torch.cuda.is_available() else "cpu"


def _load_model(folder: ModelFolder, device: str, dtype: str) -> Any:
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    quiet: Any = logging
    quiet.set_verbosity_error()
    quiet.disable_progress_bar()
    loader: Any = AutoModelForCausalLM
    try:
        model, info = loader.from_pretrained(
            folder.path,
            dtype=getattr(torch, dtype),
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
        model = model.to(device)
    except torch.OutOfMemoryError as error:
        raise _too_large(folder, device, str(error)) from error
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelIncomplete(
            f"does not load: {type(error).__name__}: {error}",
            place=str(folder.path),
            remedy="fetch or save the model again",
        ) from error
    if info["missing_keys"] or info["mismatched_keys"]:
        absent = sorted(map(str, [*info["missing_keys"], *info["mismatched_keys"]]))
        raise ModelIncomplete(
            f"lacks {len(absent)} weights its configuration needs, such as {absent[0]}",
            place=str(folder.path),
            remedy="fetch or save the model again",
        )
    return model.eval().requires_grad_(False)


def _is_self_contained(folder: Path) -> bool:
    """Whether the folder says that its tokenizer.json alone is the tokenizer."""
    described, whole = folder / "tokenizer_config.json", folder / "tokenizer.json"
    if not (described.is_file() and whole.is_file()):
        return False
    named = json.loads(described.read_text()).get("tokenizer_class")
    return named in ("PreTrainedTokenizerFast", "TokenizersBackend")


def _load_tokenizer(folder: ModelFolder) -> ChatTokenizer:
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    try:
        # AutoTokenizer gives every Qwen2 model Qwen2's own splitting, whatever class the folder names.
        loader = PreTrainedTokenizerFast if _is_self_contained(folder.path) else AutoTokenizer
        tokenizer = loader.from_pretrained(folder.path, local_files_only=True)
    except Exception as error:  # tokenizers raises bare exceptions for files it cannot parse
        raise ModelIncomplete(
            f"its tokenizer does not load: {type(error).__name__}: {error}",
            place=str(folder.path),
            remedy="save the tokenizer into the folder again",
        ) from error
    return ChatTokenizer(tokenizer, str(folder.path))


def _check_layers(model: Any, folder: ModelFolder) -> None:
    """ModelUnfit unless each layer keeps keys and values of every token."""
    from transformers.cache_utils import DynamicCache, DynamicLayer

    layers = DynamicCache(config=model.config).layers
    if other := sorted({type(layer).__name__ for layer in layers if type(layer) is not DynamicLayer}):
        raise ModelUnfit(
            f"keeps state in {', '.join(other)}; only full attention can be truncated and reused",
            place=str(folder.path),
            remedy="choose a model without sliding windows or recurrent layers",
        )


def needs(config: Any, dtype: str, chunk: int) -> Needs:
    """Of a forward pass over `chunk` tokens by a model of this (text) configuration."""
    size = DTYPE_BYTES[dtype]
    inner = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    return Needs(
        per_token=_state_shape(config, dtype).per_token,
        workspace=chunk * (6 * config.hidden_size + 3 * inner) * size + 2 * config.vocab_size * 4,
        scores=chunk * config.num_attention_heads * 4,
    )


def free_bytes(device: str) -> int:
    """Memory that could be taken now on the device where the model runs."""
    if device == "cuda":
        return int(torch.cuda.mem_get_info()[0]) + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
    return available_memory()


def shares_host_memory(device: str) -> bool:
    """Whether what lies in the processor's memory takes room on the device: on the processor, and on a Jetson."""
    return device != "cuda" or bool(torch.cuda.get_device_properties(0).is_integrated)


def _state_shape(config: Any, dtype: str) -> StateShape:
    heads = config.num_attention_heads
    kv_heads = getattr(config, "num_key_value_heads", None) or heads
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // heads
    return StateShape(int(config.num_hidden_layers), int(kv_heads), int(head_dim), dtype)


def _stop_ids(model: Any) -> frozenset[int]:
    """Every id that the model's configurations call an end."""
    found: set[int] = set()
    for config in (model.config, model.generation_config):
        end = getattr(config, "eos_token_id", None)
        found.update([end] if isinstance(end, int) else end or [])
    return frozenset(found)


def _check_memory(folder: ModelFolder, device: str, dtype: str) -> None:
    needed = folder.weight_bytes * DTYPE_BYTES[dtype] // DTYPE_BYTES.get(folder.stored_dtype, DTYPE_BYTES[dtype])
    free = free_bytes(device)
    if needed > free:
        raise _too_large(folder, device, f"needs {needed >> 20} MiB for its weights, {free >> 20} MiB are free")


def _too_large(folder: ModelFolder, device: str, what: str) -> ModelMemory:
    return ModelMemory(
        f"does not fit into memory ({device}): {what}",
        place=str(folder.path),
        remedy="choose a smaller model or dtype; `sage check` says what fits",
    )
