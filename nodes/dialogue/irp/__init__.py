"""Iterative refinement over the running system, for any host of IRP plugins; no import of such a host is needed.

    plugin = HierarchicalCognitiveIRP(RunningSystem())
    state, history = plugin.refine("what is 17 plus 25 ?", {"deadline_s": 20})
    state.x, state.energy_val, state.meta["ended"], plugin.compute_trust_metrics(history)

| module | |
|---|---|
| `state` | what a refinement has come to, and what was asked of it |
| `energy` | how surprising the present answer is, given every answer so far |
| `course` | what to ask next, and whether it has come to rest |
| `plugin` | the interface that a host calls |
| `port` | what the plugin needs of a system that answers |
| `running` | the running system as such a port |
"""

from nodes.dialogue.irp.plugin import HierarchicalCognitiveIRP
from nodes.dialogue.irp.running import RunningSystem
from nodes.dialogue.irp.state import IRPState

__all__ = ["HierarchicalCognitiveIRP", "IRPState", "RunningSystem"]
