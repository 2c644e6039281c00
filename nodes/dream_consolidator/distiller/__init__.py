"""The training process of a dream. Everything here imports torch, and nothing outside imports what is here.

distill     its stages and its end
workbench   what every stage works with: one model at a time
teacher     who teaches, and how it is asked
answering   questions put to models of this process
study       distributions gathered, the student trained, the candidate written
decoding    batches of prompts → answers
targets     lessons as ids, and the loss
training    the loop, its checkpoints and early stop
"""
