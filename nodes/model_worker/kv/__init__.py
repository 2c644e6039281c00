"""Attention state: what a conversation has been computed to, and how much of it a new request can reuse.

In memory:
  history     which token ids were processed, and where a request departs from them (no torch)
  answers     the ids in which earlier answers were generated (no torch)
  exactness   how much a piece of state may differ from computing it anew (no torch)
  layer       keys and values of one layer, grown in place
  state       the layers of one conversation with the ids they belong to
  tree        the chunks of all conversations by their ids: one copy of what they begin alike with
  worth       what keeping a chunk is expected to save (no torch)
  sessions    all conversations over that tree, within a budget of bytes
  rotary      where a key stands, taken out of it and put back in
  features    state as one row of numbers a token, keys at no place and nothing with a bias, and back
  pruning/    which tokens keep theirs when not all can

On the disk (no torch, but for lossy codecs):
  codecs/     bytes of keys and values, made small: without loss, or with a little
  chunkfile   one chunk as a sealed file: public header, private header, body
  manifest    what one conversation is made of, sealed
  index       where everything lies, in SQLite; made again from the files when lost
  vault       the folder of all models: written whole or not at all, quarantine, budget
  shelf       one model's part of the vault: written behind, read when a request needs it

transformers accepts a cache that does not belong to its input and goes on with wrong text. So matching, truncation and
positions are decided here, and a cache never leaves this package without the ids it was computed from.
"""
