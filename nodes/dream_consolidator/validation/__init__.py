"""Whether a lesson helped. Pure: judged answers in, a ruling with its reasons out.

ruling      answers before and after → a ruling
"""
