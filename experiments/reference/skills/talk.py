"""Small talk: things people say, and the one reply to each."""

from random import Random

from experiments.reference.facts import Facts
from experiments.reference.skill import Problem, Skill, Slots

REPLIES = {
    "hello": "hello, how can i help you?",
    "good morning": "good morning, did you sleep well?",
    "good evening": "good evening, how was your day?",
    "good night": "good night, sleep well.",
    "thank you": "you are welcome.",
    "thanks a lot": "you are welcome.",
    "how are you": "i am well, thank you.",
    "what is your name": "my name is sage.",
    "who are you": "i am sage, your assistant.",
    "what can you do": "i can count, remember, and find things in the house.",
    "goodbye": "goodbye, see you soon.",
    "see you tomorrow": "see you tomorrow.",
    "are you awake": "yes, i am awake.",
    "can you hear me": "yes, i can hear you.",
    "that was wrong": "i am sorry about that.",
    "well done": "thank you, i am glad.",
    "i am tired": "then you should rest.",
    "i am hungry": "then you should eat something.",
    "i am happy": "i am glad about that.",
    "tell a joke": "my jokes are all in the garage.",
}


def _draw(random: Random, _: int) -> Problem:
    phrase = random.choice(tuple(REPLIES))
    return Problem({"phrase": phrase}, phrase)


def _solve(slots: Slots, _: Facts) -> str:
    return REPLIES[slots["phrase"]]


TALK = Skill(
    name="talk",
    bodies=("{phrase}", "{phrase} sage", "{phrase} my friend", "well {phrase}"),
    patterns={"phrase": "|".join(REPLIES)},
    difficulties=(1,),
    draw=_draw,
    solve=_solve,
    key=lambda answer: answer,
    difficulty=lambda _slots, _facts: 1,
    in_weights=True,
)
