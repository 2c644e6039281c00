"""500 launch files that something happened to: each is refused with a place, or means something; never a traceback.

Seeded, so that a failure can be repeated. Two kinds: one wrong thing said on purpose somewhere in a shipped file, which
must be refused at its line; and damage to the bytes, which may by chance leave a file that can be read.
"""

import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime import config, paths
from runtime.config import ConfigError, Item
from runtime.launch.expand import expand, hosts_of
from runtime.launch.plan import make_plan

SEED = 20_260
DELIBERATE = 300
DAMAGED = 200
SHIPPED = ("local", "jetson", "legion", "pair")

PLACE = re.compile(r"[\w./-]+\.yaml(:\d+)?")

Lines = list[str]
Mutation = Callable[[random.Random, Lines], int]
"""Says something wrong in the lines, and returns the number of the line that must be named (0: any)."""


def shipped() -> dict[str, str]:
    return {f"launch/{name}.yaml": paths.shipped(f"launch/{name}.yaml").read_text() for name in SHIPPED}


def understand(files: dict[str, bytes], path: str) -> None:
    """All that `sage check` does with a file, for each of its hosts. ConfigError if it cannot be understood."""

    def read(wanted: str) -> Item:
        if wanted not in files:
            raise ConfigError("cannot be read: No such file or directory", place=wanted)
        return config.parse(files[wanted], wanted)

    for host in hosts_of(read(path)) or [""]:
        launch = expand(path, read, settings={}, host=host, environment={})
        directory = Path("/run/sage")
        make_plan(launch, run_dir=directory, state_dir=directory, python="python3", module_of=_no_module)


def _no_module(name: str) -> str:
    raise ConfigError(f"no package registers a node {name!r}")


def pick(rng: random.Random, lines: Lines, pattern: str) -> int:
    """The index of a random line that matches."""
    return rng.choice(
        [i for i, line in enumerate(lines) if re.search(pattern, line) and not line.lstrip().startswith("#")]
    )


NODE = r"^  [a-z_/]+:( \{.*\})?$"
LEAF = r"^    (start|liveness|stop_grace): "


def misspelled_key(rng: random.Random, lines: Lines) -> int:
    i = pick(rng, lines, r"^    (module|after|start|liveness|stop_grace|params|memory|threads|when|nice|backoff): ?")
    key = lines[i].split(":")[0].strip()
    at = rng.randrange(len(key))
    lines[i] = lines[i].replace(key, f"{key[:at]}{rng.choice('xqz')}{key[at:]}", 1)
    return i + 1


def bare_number(rng: random.Random, lines: Lines) -> int:
    i = pick(rng, lines, LEAF)
    lines[i] = f"{lines[i].split(':')[0]}: {rng.randrange(1000)}"
    return i + 1


def unknown_unit(rng: random.Random, lines: Lines) -> int:
    i = pick(rng, lines, LEAF)
    lines[i] = f"{lines[i].split(':')[0]}: {rng.randrange(1000)}{rng.choice(['sec', 'M', 'parsecs', 'S', 'MiB', '%'])}"
    return i + 1


def value_of_another_kind(rng: random.Random, lines: Lines) -> int:
    i = pick(rng, lines, r"^    (module|after|start|liveness|stop_grace|memory|threads|nice): .")
    wrong = rng.choice(["[1, 2]", "[]", "-0.5", "{x: [y]}", "[null]"])
    lines[i] = f"{lines[i].split(':')[0]}: {wrong}"
    return i + 1


def added_to_a_node(*choices: str) -> Mutation:
    def mutate(rng: random.Random, lines: Lines) -> int:
        i = pick(rng, lines, r"^    module: ")
        said = rng.choice(choices)
        end = next((j for j in range(i + 1, len(lines)) if not lines[j].startswith("    ")), len(lines))
        key = f"    {said.split(':')[0]}:"
        lines[i + 1 : end] = [f"    {said}", *(line for line in lines[i + 1 : end] if not line.startswith(key))]
        return i + 2

    return mutate


def unknown_dependency(rng: random.Random, lines: Lines) -> int:
    i = pick(rng, lines, r"after: \{hub: ready\}")
    lines[i] = lines[i].replace("hub", rng.choice(["hbu", "hubb", "nobody", "dialogue/x"]))
    return i + 1


def unknown_stage(rng: random.Random, lines: Lines) -> int:
    i = pick(rng, lines, r"hub: ready")
    lines[i] = lines[i].replace("ready", rng.choice(["redy", "up", "true", "1", "[ready]"]))
    return i + 1


def circle(_rng: random.Random, lines: Lines) -> int:
    i = pick(_rng, lines, r"^    module: runtime\.hub$")
    lines.insert(i + 1, "    after: {dialogue: ready}")
    return 0


def doubled_key(rng: random.Random, lines: Lines) -> int:
    i = pick(rng, lines, r"^    [a-z_]+: .")
    lines.insert(i + 1, lines[i])
    return i + 2


def unknown_reference(rng: random.Random, lines: Lines) -> int:
    i = pick(rng, lines, r"\$\{args\.")
    lines[i] = lines[i].replace(
        "${args.", rng.choice(["${arg.", "${args.x", "${env.SAGE_NO_", "${{args.", "${args"]), 1
    )
    return i + 1


def broken_condition(rng: random.Random, lines: Lines) -> int:
    i = pick(rng, lines, r"^    when: ")
    wrong = rng.choice(["args.voic", "args.voice and", "args.voice == 1", "host", "1 +", "__import__('os')", "( true"])
    lines[i] = f'    when: "{wrong}"'
    return i + 1


def unreadable_yaml(rng: random.Random, lines: Lines) -> int:
    i = pick(rng, lines, r"^    [a-z_]+: .")
    key = lines[i].split(":")[0]
    lines[i] = key + rng.choice(
        [": &a x", ": *a", ": !!str x", ": {", ": 'x", ": a: b", ": @x", ': "\\ud800"', ': "\\0"']
    )
    return 0


ON_PURPOSE: list[Mutation] = [
    misspelled_key,
    bare_number,
    unknown_unit,
    value_of_another_kind,
    added_to_a_node("restart: alwys", "restart: on_failure", "restart: true", "restart: 1"),
    added_to_a_node("escalation: all", "notify: yes", "nice: 20", "nice: -21", "threads: 0", "memory: 5", "memory: 1s"),
    added_to_a_node("backoff: {first: 1}", "backoff: {jitter: 2}", "backoff: {fisrt: 1s}", "backoff: 5s"),
    added_to_a_node(
        "intensity: {restarts: -1}", "intensity: {within: 1}", "intensity: 5", "intensity: {restarts: 1.5}"
    ),
    added_to_a_node("environment: {SAGE_NODE: x}", "environment: {'a b': x}", "environment: [A=B]", "1: x", "~: x"),
    unknown_dependency,
    unknown_stage,
    circle,
    doubled_key,
    unknown_reference,
    broken_condition,
    unreadable_yaml,
]


def test_what_is_wrong_on_purpose_is_refused_where_it_stands() -> None:
    rng = random.Random(SEED)
    for number in range(DELIBERATE):
        mutation = ON_PURPOSE[number % len(ON_PURPOSE)]
        files = shipped()
        lines = files["launch/local.yaml"].split("\n")
        line = mutation(rng, lines)
        files["launch/local.yaml"] = "\n".join(lines)
        shown = f"{number} {getattr(mutation, '__name__', mutation)} at {line}: {lines[line - 1] if line else ''}"
        with pytest.raises(ConfigError) as caught:
            understand({name: text.encode() for name, text in files.items()}, "launch/local.yaml")
        expected = f"launch/local.yaml:{line}" if line else "launch/local.yaml:"
        assert caught.value.place.startswith(expected), f"{shown} → {caught.value}"
        assert caught.value.message, shown


def damage(rng: random.Random, data: bytes) -> bytes:
    """Bytes to which something has happened."""
    at, length = rng.randrange(len(data)), rng.randrange(1, 40)
    match rng.randrange(7):
        case 0:  # cut off
            return data[:at]
        case 1:  # a piece lost
            return data[:at] + data[at + length :]
        case 2:  # a piece twice
            return data[: at + length] + data[at:]
        case 3:  # a piece moved
            to = rng.randrange(len(data))
            rest = data[:at] + data[at + length :]
            return rest[:to] + data[at : at + length] + rest[to:]
        case 4:  # noise
            return data[:at] + rng.randbytes(length) + data[at + length :]
        case 5:  # one sign for another
            return data[:at] + rng.choice(b"{}[]:,&*!|>'\"%@`#-?\t\n\0\x80").to_bytes() + data[at + 1 :]
        case _:  # indentation
            return data.replace(b"\n  ", b"\n" + b" " * rng.randrange(5), 1 + rng.randrange(3))


def refused_by(files: dict[str, bytes], path: str) -> ConfigError | None:
    try:
        understand(files, path)
    except ConfigError as error:
        return error
    return None


def test_damage_is_refused_with_a_place_or_means_something() -> None:
    rng = random.Random(SEED + 1)
    refused = 0
    for _ in range(DAMAGED):
        files = {name: text.encode() for name, text in shipped().items()}
        name = rng.choice(list(files))
        files[name] = damage(rng, files[name])
        refusal = refused_by(files, name)
        refused += refusal is not None
        assert refusal is None or PLACE.fullmatch(refusal.place), str(refusal)
    assert refused > DAMAGED // 2
