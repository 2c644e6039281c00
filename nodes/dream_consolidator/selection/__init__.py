"""What of the store a dream learns from, and what only judges. Pure.

split       questions → templates → the side they fall on, turn by turn
nearness    questions that are nearly the same
drawing     which of many are taken, with exact chances
select      examples → lessons, and the questions that only judge
lessons     which answers may teach, and what the judging ones showed
"""
