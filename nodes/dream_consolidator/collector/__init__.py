"""Salient exchanges, kept to learn from.

examples     one kept exchange, how two become one, and the keyed digests that split and tell apart
redaction    what is taken out before anything is written; identifiers: the kinds that ship
nearness     when two exchanges say the same
reservoir    which examples a full store gives up
forgetting   which examples a wish to forget means
store        what is taken in, merged, given up and forgotten
shelf        examples as sealed rows; tables: their schema and its earlier versions
"""
