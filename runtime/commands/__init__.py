"""The verbs of the fabric itself: what is running, what is said, what can be asked."""
