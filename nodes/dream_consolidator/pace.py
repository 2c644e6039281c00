"""How often the consolidator speaks of itself."""

CHARGE_S = 5.0
"""How often a dream under way is charged. A consolidator that is killed takes its training process with it: what that
took since the last charge nobody knows, and it is not billed; what was held is given back."""
TELL_S = 60.0
"""How long after an example came it is said how much there is to learn: counting reads all of them, a third of a
second for 5,000."""
AGAIN_S = 600.0
"""It is said anew after so long without one, for what is due depends on the time, too."""
AWAY_S = 30.0
"""After a teacher was not there, a dream is not gone on with for so long."""
LOOK_S = 30.0
"""Seconds between two looks at whether the time of a trial is up."""
