"""How well patterns tell what they answer from what only resembles it."""
