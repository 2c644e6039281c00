"""The training process of a dream. Everything here imports torch, and nothing outside imports what is here.

distill     its stages and its end
workbench   what every stage works with: one model at a time
answering   questions put to models
study       distributions gathered, the student trained, the candidate written
decoding    batches of prompts → answers
targets     lessons as ids, and the loss
training    the loop, its checkpoints and early stop
"""
