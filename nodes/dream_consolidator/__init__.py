"""While nobody is speaking, small models learn what large ones knew, and keep the lesson only if it measurably helped.

settings    what `configs/dream.yaml` says
examples    one kept exchange, and the keyed digests that split and deduplicate
collector   the sealed store of examples
journal     the dreams there were
selection   examples → lessons, and the questions that only judge
lessons     which answers may teach, and what the judging ones showed
job         one dream as a folder that outlives its processes
validation  answers before and after → a ruling with its reasons
promotion   learned weights under their digest, and the pointer to the ones in force
dream       one dream from selection to ruling
node        the process
commands    `sage dream`

The training process, and nothing else here, imports torch:
distill     its stages and its end
workbench   what every stage works with: one model at a time
answering   questions put to models
study       distributions gathered, the student trained, the candidate written
decoding    batches of prompts → answers
targets     lessons as ids, and the loss
training    the loop, its checkpoints and early stop
"""
