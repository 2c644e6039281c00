"""Whether a lesson helped. Pure: judged answers in, a ruling with its reasons out.

trial       one question and how it was answered, before and after
paired      statistics of answers to the same questions
spending    how much of a level's budget for false promotions a dream may use
checks      what new weights must show, one by one
ruling      all of that → a ruling
verdict     a dream's end as a page to read
"""
