"""Learned weights: where they lie, where they come from, which are in force and which on trial.

registry    weights, records and index kept as one: admit, promote, withdraw, roll back, forget
lineage     the signed record of each version
index       what each version is now
trials      what is heard of challengers and champions, and what follows
canary      whether a challenger does in use what it did in its validation
"""
