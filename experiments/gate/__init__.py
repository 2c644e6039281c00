"""`sage experiment gate`: what the ruling lets through, and what it does not, on real trainings good and bad."""
