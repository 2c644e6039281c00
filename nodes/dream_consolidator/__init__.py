"""While nobody is speaking, small models learn what large ones knew, and keep the lesson only if it measurably helped.

settings       what `configs/dream.yaml` says
collector      exchanges in, a sealed store of examples out
selection      examples → lessons, and the questions that only judge
distiller      the training process, the only room that imports torch: lessons in, a candidate and its answers out
validation     answers before and after → a ruling with its reasons
adapters       learned weights under their digest, and the pointer to the ones in force
teacher_cache  what teachers said, kept beyond the dream
job            one dream as a folder that outlives its processes
journal        the dreams there were
dream          one dream from selection to ruling
node           the process
commands       `sage dream`
"""
