"""How often the consolidator speaks of itself."""

CHARGE_S = 30.0
"""How often a dream under way is charged."""
TELL_S = 15.0
"""How long after an example came it is said how much there is to learn: counting them reads them all."""
