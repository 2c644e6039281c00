"""Which tokens of a conversation keep their keys and values when not all can.

    recent      the first few and the last (no torch)
    attention   how much attention each token of a context gets, by whom
    scorers     what each token is worth, by six ways to tell
    choosing    which tokens that leaves

Nothing here asks about what is to be asked later: what a question wants is dropped by every scorer that looks at the
attention of what came so far. Keys stay at the positions they had. A token goes or stays in all layers alike.
"""
