"""A process's side of the fabric: events, calls, and the connection to the hub that carries both."""
