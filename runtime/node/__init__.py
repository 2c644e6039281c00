"""What a node is made of. `examples/` shows one in under twenty lines."""

from runtime.bus.events import Event
from runtime.bus.serving import Call
from runtime.node.base import Fatal, Node
from runtime.node.declare import on, serve
from runtime.node.run import run

__all__ = ["Call", "Event", "Fatal", "Node", "on", "run", "serve"]
