"""What of the store a dream learns from, and what only judges. Pure.

select      examples → lessons, and the questions that only judge
lessons     which answers may teach, and what the judging ones showed
"""
