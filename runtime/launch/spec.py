"""What a launch file may say, as types. `runtime.launch.expand` makes one `Launch` out of files, arguments and a host.

A file has five sections, all optional: `args` (what may be set from outside), `include` (other files, with arguments),
`hosts` (sections of which `--host` picks one), `environment` (for every process) and `nodes`.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from runtime.units import Duration, Size
from runtime.yamltree import Item

NAME_RULE = "a node's name: lower-case letters, digits, - and _, at most one /, as in model_worker/sensory"
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]*(/[a-z0-9_-]+)?\Z", max_length=64, description=NAME_RULE)]
"""A node's name: `dialogue`, `model_worker/sensory`."""

WORD_RULE = "a name of lower-case letters, digits and _"
Word = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*\Z", max_length=64, description=WORD_RULE)]
"""The name of an argument or a host."""

MODULE_RULE = "a Python module's name, such as nodes.dialogue.node"
Variable = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*\Z", max_length=128, description="a variable's name")]
"""The name of an environment variable."""

RESERVED = frozenset(
    {
        "SAGE_NODE",
        "SAGE_RUN_DIR",
        "SAGE_STATE_DIR",
        "SAGE_PARAMS",
        "SAGE_LOG",
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "WATCHDOG_PID",
    }
)
"""Variables by which the supervisor speaks to a process; no file may set them."""

Value = str | int | float | bool
ArgType = Literal["str", "int", "float", "bool", "duration", "size"]
Condition = str | bool
"""An expression of `runtime.launch.expression`, or true or false outright."""


class Arg(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Something that may be set from outside, by `--set name=value` or by the file that includes this one."""

    type: ArgType
    default: Value | None = None
    """Without a default it must be given."""
    choices: list[Value] = []
    help: str = ""


class Include(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Another launch file, relative to this one. What stands here afterwards overrides what it says, key by key."""

    file: str
    args: dict[Word, Value] = {}
    when: Condition = True


class Backoff(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long to wait before the n-th restart: first · factor^(n-1), at most `cap`, times 1 ± jitter."""

    first: Duration = 0.2
    factor: Annotated[float, Meta(ge=1, le=10)] = 2.0
    cap: Duration = 10.0
    jitter: Annotated[float, Meta(ge=0, le=1)] = 0.2


class Intensity(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """More than `restarts` within `within`, and the node has failed for good."""

    restarts: Annotated[int, Meta(ge=0, le=1000)] = 5
    within: Duration = 60.0


class Node(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One process. Exactly one of `node`, `module` and `command` says what runs."""

    node: str | None = None
    """A name registered under the entry points `sage.nodes`."""
    module: (
        Annotated[str, Meta(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\Z", max_length=200, description=MODULE_RULE)]
        | None
    ) = None
    """A Python module, run as `python -m`."""
    command: Annotated[list[str], Meta(min_length=1)] | None = None
    """Any program with its arguments; no shell."""
    when: Condition = True
    params: dict[str, Any] = {}
    """Given to the process as JSON in SAGE_PARAMS; its own Params struct says what they may be."""
    environment: dict[Variable, Value] = {}
    after: dict[Name, Literal["started", "ready"]] = {}
    """Begin only when these have come so far."""
    notify: bool = True
    """It says itself when it is ready and that it lives (sd_notify). Otherwise it is ready once it runs."""
    start: Duration = 30.0
    """From the start of the process to its word that it is ready."""
    liveness: Duration | Literal["off"] = 10.0
    """Once ready, the longest silence between two of its beats."""
    restart: Literal["never", "on-failure", "always"] = "on-failure"
    backoff: Backoff = Backoff()
    intensity: Intensity = Intensity()
    escalation: Literal["node", "dependants", "whole"] = "node"
    """What falls when this node has failed for good: itself, what is `after` it as well, or everything."""
    stop_grace: Duration = 3.0
    """From SIGTERM to SIGKILL."""
    memory: Size | None = None
    """Private writable memory (RLIMIT_DATA): beyond it an allocation fails, it does not take the host down."""
    nice: Annotated[int, Meta(ge=-20, le=19)] = 0
    threads: Annotated[int, Meta(ge=1, le=1024)] = 1
    """Threads of its numeric libraries; they wait passively (see OMP_WAIT_POLICY)."""


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a file says for one host alone."""

    include: list[Include] = []
    environment: dict[Variable, Value] = {}
    nodes: dict[Name, Node] = {}


class File(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A launch file as it stands."""

    args: dict[Word, Arg] = {}
    include: list[Include] = []
    hosts: dict[Word, Section] = {}
    environment: dict[Variable, Value] = {}
    nodes: dict[Name, Node] = {}
    shutdown: Duration | None = None
    """One deadline for stopping everything in order; what is left then is killed. 10s if nobody says."""


class Launch(Struct, frozen=True, kw_only=True):
    """Files, arguments and host resolved: the nodes that shall run here."""

    file: str
    host: str
    arguments: dict[str, Value]
    environment: dict[str, str]
    nodes: dict[str, Node]
    items: dict[str, Item]
    """Where each node stands, for errors found later."""
    absent: dict[str, str]
    """Nodes switched off here, and the place of the `when` that did it."""
    shutdown: float


def as_text(value: Value) -> str:
    """A value inside text or in an environment: true and false as YAML writes them."""
    return str(value).lower() if isinstance(value, bool) else str(value)
