"""`sage experiment days`: many days with drifting interests, and what each of the two loops is worth in them.

The fast loop learns whom to ask, by question and by night; the slow one teaches the small level in dreams.

world       what is fixed before anything is run
arms        the two loops: neither, each, both
answering   what a level's weights answer to a day's questions
living      a day, question by question, as whoever chooses goes through it
nights      the dreamer itself, over a store and a registry of its own
course      the days of one arm; what was found by night is kept, and another run goes on from there
measures    what a day came to
report      the tables and the plots
experiment  all of it
"""
