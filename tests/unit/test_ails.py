"""A node is degraded while any part of it ails, and says so once for each change."""

from types import SimpleNamespace

from protocol.messages.node import NodeState
from runtime.node.base import Node


def test_a_node_is_degraded_while_any_part_ails():
    said: list[tuple[NodeState, str]] = []
    node = SimpleNamespace(ailing={}, health=lambda state, reason: said.append((state, reason)))
    for part, problem in (("a", ""), ("a", "x"), ("a", "x"), ("b", "y"), ("a", ""), ("b", ""), ("b", "")):
        Node.ails(node, part, problem)
    assert said == [
        (NodeState.DEGRADED, "x"),
        (NodeState.DEGRADED, "x; y"),
        (NodeState.DEGRADED, "y"),
        (NodeState.READY, ""),
    ]
