"""Attention state as bytes: the less there are, the longer it is kept and the sooner it is read.

    lossless    bytes of equal significance side by side, then zstd; and `raw`, as they are (no torch)
    codec       what a codec is, and those of one model: one that writes, and all that read
    choosing    which ones these are, by the level's configuration
    uniform     int8, int4, int3: so many bits a number; keys by channel, values by token
    learned     few numbers that say nearly all: principal components of neighbouring layers, rounded to one step
    fit         what `learned` is fitted by, and what it then loses

Of the lossy ones each takes keys back to no place and away from their layer's bias before anything is rounded: turned
keys, and those with large biases, do not bear it. The first tokens, which all attention rests on, stay as they are, and
the tail of a conversation that fills no chunk is not kept but computed again.
"""
