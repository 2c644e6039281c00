"""Chaos: the whole system, under load, has its processes killed and stopped at random; what must hold is held to."""
