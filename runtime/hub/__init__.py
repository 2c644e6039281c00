"""The hub: one process per host through which nodes find, hear and call each other."""
