"""`sage experiment transfer`: whether a conversation that one model has read can go on with another, unread.

pairs       which models, in which direction; a level's own model and the same a little further trained among them
ways        how the receiver may begin: with its own reading, with none, with a part, a summary, or what was moved
measure     what each way keeps: answers, surprise, time to the first token
shapes      what moving and reading take at the true shapes
report      the tables and the plot
"""
