"""How well iterative refinement knows when it is right."""
