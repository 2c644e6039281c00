"""The training process of a dream. Everything here imports torch, and nothing outside imports what is here.

distill     its stages and its end
workbench   what every stage works with: one model at a time
teacher     who teaches: a model loaded here, or one elsewhere that is asked what was not said before
called      one elsewhere: the running worker of its level
endpoint    one elsewhere: a server with OpenAI's interface
answering   questions put to models of this process
trying      what judges, put to the student as it was and as it is
study       distributions gathered, the student trained, the candidate written
training    the loop: both phases, their order, their looks, early stop
onpolicy    the student's own answers, told by the teacher
losses      what a token's answer costs, by name
chunks      hidden states → logits, never of all tokens at once
rates       the learning rate of each step
precision   the numbers it is computed in
lora        low-rank changes, and their merging
checkpoints where training stands
parallel    several processes that train together
memory      how much the process may take
targets     lessons as ids, and the distributions they are answered with
decoding    batches of prompts → answers
"""
