"""What the levels weigh in memory, and what a host can hold. Arithmetic only: nothing is loaded, nothing is measured.

    budget(demands(levels), JETSON_8GB).resident   # ('sensory', 'tactical')

A worker's memory is its weights, its attention state, the workspace of one forward pass and what Python, torch and
transformers take before any model is there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nodes.model_worker.errors import ModelError
from nodes.model_worker.folder import ModelFolder, open_folder, shape_of
from nodes.model_worker.levels import DTYPE_BYTES, Level, Levels, Shape, settled_dtype, source

MiB = 1 << 20
GiB = 1 << 30

RUNTIME = 365 * MiB
"""Resident memory of a process that has imported torch (CPU) and Qwen2ForCausalLM, without a model. Measured."""
CUDA_CONTEXT = 450 * MiB
"""Device memory a process takes for its CUDA context and kernels. An estimate: it depends on the card and driver."""
NODES = 350 * MiB
"""All of sage's processes but the workers: the bound they are held to."""


@dataclass(frozen=True)
class Host:
    """Where the models would run. With `unified` memory (Jetson) processor and GPU share one pool."""

    name: str
    memory: int
    """Bytes the models' device has."""
    reserved: int
    """Bytes of it that the system and sage's other processes need."""
    cuda: bool = False
    unified: bool = False

    @property
    def available(self) -> int:
        return max(0, self.memory - self.reserved)


JETSON_8GB = Host("Jetson 8 GB", memory=int(7.4 * GiB), reserved=1 * GiB + NODES, cuda=True, unified=True)
"""An 8 GB Orin shows about 7.4 GiB to Linux; 1 GiB for a system without a desktop."""
GPU_16GB = Host("GPU 16 GB", memory=16 * GiB, reserved=GiB // 2, cuda=True)
"""A card that also drives a display."""


@dataclass(frozen=True)
class Demand:
    """What one level asks for, in bytes (`context` in tokens)."""

    name: str
    weights: int
    kv_per_token: int
    context: int
    state: int
    """For attention state: the level's budget, or one conversation of full length where that is more."""
    workspace: int
    problem: str = ""
    """Why the weights are unknown, where they are."""
    remote: bool = False
    """A server answers: nothing of it is held here."""

    @property
    def without_state(self) -> int:
        return self.weights + self.workspace


@dataclass(frozen=True)
class Fit:
    """One level on one host."""

    demand: Demand
    runtime: int
    total: int
    alone: bool
    """It fits when no other level is loaded."""
    longest_context: int
    """Tokens of one conversation that would fit if it were loaded alone, whatever the model itself allows."""


@dataclass(frozen=True)
class Budget:
    host: Host
    fits: tuple[Fit, ...]
    total: int
    together: bool
    """All levels fit at once."""
    resident: tuple[str, ...]
    """The levels that fit at once, least capable first; each further one would have to be loaded on demand."""

    @property
    def left(self) -> int:
        """Bytes over once all are loaded; negative is what is missing."""
        return self.host.available - self.total

    @property
    def impossible(self) -> tuple[str, ...]:
        """Levels that do not even fit alone."""
        return tuple(fit.demand.name for fit in self.fits if not fit.alone)


def budget(demands: Sequence[Demand], host: Host) -> Budget:
    """Add up what the levels ask for against what the host has."""
    fits = tuple(_fit(demand, host) for demand in demands)
    resident: list[str] = []
    used = 0
    for fit in fits:
        if used + fit.total <= host.available and not fit.demand.problem:
            used += fit.total
            resident.append(fit.demand.name)
    total = sum(fit.total for fit in fits)
    known = not any(demand.problem for demand in demands)
    return Budget(host, fits, total, known and total <= host.available, tuple(resident))


def demands(levels: Levels, *, cuda: bool = False) -> list[Demand]:
    """What each level asks for; a model that is neither here nor has a `shape` has its `problem` said."""
    return [demand(level, cuda=cuda) for level in levels.levels]


def demand(level: Level, *, cuda: bool = False) -> Demand:
    """What one level asks for, from its folder where that is here, else from its `shape`."""
    if level.backend == "openai":
        return Demand(level.name, 0, 0, level.context, 0, 0, remote=True)
    device = "cuda" if cuda and level.device != "cpu" else "cpu"
    folder, problem = _folder(level)
    try:
        shape = shape_of(folder.config) if folder else level.shape
    except ModelError as error:
        shape, problem = level.shape, str(error)
    if shape is None:
        return Demand(level.name, 0, 0, level.context, level.state, 0, problem)
    dtype = settled_dtype(level.dtype, folder.stored_dtype if folder else "bfloat16", device)
    size = DTYPE_BYTES[dtype]
    weights = parameters(shape) * size
    if folder:
        weights = folder.weight_bytes * size // DTYPE_BYTES.get(folder.stored_dtype, size)
    per_token = kv_bytes_per_token(shape, size)
    state = max(level.state, per_token * level.context)
    return Demand(
        level.name, weights, per_token, level.context, state, workspace_bytes(shape, level.prefill_chunk, size)
    )


def parameters(shape: Shape) -> int:
    """Parameters of a Qwen2-like decoder: biased q, k, v; gated feed-forward; two norms a layer and one at the end."""
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    attention = shape.hidden * queries * 2 + queries + 2 * (shape.hidden * keys + keys)
    layer = attention + 3 * shape.hidden * shape.ffn + 2 * shape.hidden
    embeddings = shape.vocab * shape.hidden * (1 if shape.tied else 2)
    return embeddings + shape.layers * layer + shape.hidden


def kv_bytes_per_token(shape: Shape, dtype_bytes: int) -> int:
    """Keys and values of one token over all layers."""
    return 2 * shape.layers * shape.kv_heads * shape.head_dim * dtype_bytes


def workspace_bytes(shape: Shape, chunk: int, dtype_bytes: int) -> int:
    """Upper bound of what one prefill chunk holds at once.

    The hidden state and its copies, the gated feed-forward of one layer, and two rows of logits in float32.
    """
    return chunk * (6 * shape.hidden + 3 * shape.ffn) * dtype_bytes + 2 * shape.vocab * 4


def _fit(demand: Demand, host: Host) -> Fit:
    runtime = 0 if demand.remote else _runtime(host)
    room = host.available - runtime - demand.without_state
    total = demand.without_state + demand.state + runtime
    longest = max(0, room) // demand.kv_per_token if demand.kv_per_token else 0
    return Fit(demand, runtime, total, total <= host.available and not demand.problem, longest)


def _runtime(host: Host) -> int:
    """What a worker's process takes of the memory that models use: all of it where that is shared or the host's own."""
    process = RUNTIME if host.unified or not host.cuda else 0
    return process + (CUDA_CONTEXT if host.cuda else 0)


def _folder(level: Level) -> tuple[ModelFolder | None, str]:
    where = source(level.model)
    if isinstance(where, str):
        return None, f"{where} is not on this machine and has no `shape`"
    try:
        return open_folder(where), ""
    except ModelError as error:
        return None, str(error)


def table(budgets: Iterable[Budget]) -> list[dict[str, str | int | bool]]:
    """One row per host and level, in bytes and tokens: what `sage check` prints."""
    return [
        {
            "host": each.host.name,
            "level": fit.demand.name,
            "weights": fit.demand.weights,
            "state": fit.demand.state,
            "workspace": fit.demand.workspace,
            "runtime": fit.runtime,
            "total": fit.total,
            "alone": fit.alone,
            "resident": fit.demand.name in each.resident,
            "longest_context": fit.longest_context,
            "problem": fit.demand.problem,
        }
        for each in budgets
        for fit in each.fits
    ]
