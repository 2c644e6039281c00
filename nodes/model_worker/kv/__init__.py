"""Attention state: what a conversation has been computed to, and how much of it a new request can reuse.

history   which token ids were processed, and where a request departs from them (no torch)
answers   the ids in which earlier answers were generated (no torch)
layer     keys and values of one layer, grown in place
state     the layers of one conversation with the ids they belong to
sessions  the states of all conversations, within a budget of bytes

transformers accepts a cache that does not belong to its input and goes on with wrong text. So matching, truncation and
positions are decided here, and a cache never leaves this package without the ids it was computed from.
"""
