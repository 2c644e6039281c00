"""The reality cache: what is taken to be so until surprise breaks it, and what rests on it.

| module | |
|---|---|
| `assumption` | what is held: statement, level, value, confidence, what it rests on |
| `surprise` | how far an observation shakes it: distance x confidence x centrality, and what to do about it |
| `settings` | thresholds and bounds, refused where something could never happen |
| `names` | keyed digests, so that what was said is not told by what it is found under |
| `shelf` | the assumptions in SQLite, sealed, and the edges between them |
| `cache` | check, hold, observe, forget |
| `outcomes` | what it answers |
| `answers` | answers given before, as assumptions |
| `kept` | attention state and the sense of a conversation, as assumptions |
| `keeper` | the cache beside an event loop; `shown`: as commands show it; `opening`: where it lies |
| `drifting`, `contenders`, `bench` | the world of `sage bench reality` |
"""
