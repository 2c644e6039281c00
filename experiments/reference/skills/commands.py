"""Telling devices what to do."""

import re
from random import Random

from experiments.reference.facts import ROOM, Facts
from experiments.reference.skill import Problem, Skill, Slots
from experiments.reference.words import APPLIANCES, ROOMS

DEVICE = "|".join(APPLIANCES)


def _draw_switching(random: Random, _: int) -> Problem:
    device, room, state = random.choice(APPLIANCES), random.choice(ROOMS), random.choice(("on", "off"))
    return Problem({"state": state, "device": device, "room": room}, f"{device} {room} {state}")


def _draw_setting(random: Random, _: int) -> Problem:
    device, room, state = random.choice(APPLIANCES), random.choice(ROOMS), str(random.randint(1, 99))
    return Problem({"state": state, "device": device, "room": room}, f"{device} {room} {state}")


def _solve(slots: Slots, _: Facts) -> str:
    return f"the {slots['device']} in the {slots['room']} is {_set_to(slots['state'])}."


def _set_to(state: str) -> str:
    return f"at {state}" if state.isdigit() else state


def _done(answer: str) -> str | None:
    found = re.fullmatch(rf"the ({DEVICE}) in the ({ROOM}) is (on|off|at \d+)\.?", answer.strip())
    return " ".join(found.groups()) if found else None


SWITCHING = Skill(
    name="device",
    bodies=(
        "turn {state} the {device} in the {room}",
        "switch {state} the {device} in the {room}",
        "turn the {device} in the {room} {state}",
        "the {device} in the {room} should be {state}",
    ),
    patterns={"state": "on|off", "device": DEVICE, "room": ROOM},
    difficulties=(1,),
    draw=_draw_switching,
    solve=_solve,
    key=_done,
    difficulty=lambda _slots, _facts: 1,
)

SETTING = Skill(
    name="setting",
    bodies=(
        "set the {device} in the {room} to {state}",
        "put the {device} in the {room} at {state}",
        "bring the {device} in the {room} to {state}",
        "the {device} in the {room} should be at {state}",
    ),
    patterns={"state": r"\d\d?", "device": DEVICE, "room": ROOM},
    difficulties=(1,),
    draw=_draw_setting,
    solve=_solve,
    key=_done,
    difficulty=lambda _slots, _facts: 1,
)
