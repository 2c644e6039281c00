"""`sage experiment distillation`: whether a dream teaches the small model what the large one knows, and loses nothing.

world       what is fixed before anything is run
lived       a day's questions, answered and scored as the running system does it
arms        what is learned from the day, and how: the shipped way and its controls
trial       one arm on one day: the training process of a dream, run as the consolidator runs it
exam        held-out questions that neither the day nor the family has seen
measures    gains with their intervals, and what was lost, skill by skill
report      the table and the plot
experiment  all of it
"""
