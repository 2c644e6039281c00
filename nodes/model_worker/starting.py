"""Load a level as a worker's process does, and end: `sage calibrate` looks at what that takes.

The level comes as JSON on standard input.
"""

import sys

import msgspec

import nodes.model_worker.node  # noqa: F401  what a worker imports before it has a model
from nodes.model_worker.engine import Engine
from nodes.model_worker.levels import Level
from runtime.clock import Clock


def main() -> None:
    engine = Engine(msgspec.json.decode(sys.stdin.buffer.read(), type=Level), clock=Clock())
    engine.load()
    engine.close()


if __name__ == "__main__":
    main()
