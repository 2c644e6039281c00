"""One process per level: loads its language model, keeps attention state, streams answers.

levels      which model each level runs, from `configs/levels.yaml`
fits        what that costs in memory, and what a host can hold
folder      a model folder read without torch: what it is, what it weighs, its fingerprint
learned     weights a dream has learned, checked before they answer
host        how much memory there is
loading     the one module that knows how transformers loads
tokenizer   a transformers tokenizer as the next two need it
rendering   messages → token ids, and which message each token came from
text        token ids → text that only grows by whole characters
sampling    logits → one token, its log-probability and margin
generation  prefill and decode over a model's forward pass
kv          attention state: what was computed, and how much of it a request can reuse
turn        one request: tokenize, match, prefill, decode, remember
engine      all of it behind `Engine.generate`, for one thread
worker      an engine on its thread, with a queue in front
residency   which metabolic state holds which model in memory
node        the process

Importing torch costs a second and 220 MB: only loading, sampling, generation, turn, engine and the
tensor half of kv do.
"""
