"""While nobody is speaking, small models learn what large ones knew, and keep the lesson only if it measurably helped.

settings    what `configs/dream.yaml` says
examples    one kept exchange, and the keyed digests that split and deduplicate
collector   the sealed store of examples
journal     the dreams there were
selection   examples → lessons, and the questions that only judge
job         one dream as a folder that outlives its processes
validation  answers before and after → a ruling with its reasons
promotion   learned weights under their digest, and the pointer to the ones in force
dream       one dream from selection to ruling
distill     the training subprocess; with decoding, lessons and training the only modules here that import torch
node        the process
"""
