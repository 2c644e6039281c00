"""`sage experiment trust`: which level answers, by this system's own choice, beside its rivals and the oracle."""
