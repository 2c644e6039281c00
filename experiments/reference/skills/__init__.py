"""All skills, in the order in which a question is looked for among them."""

from collections.abc import Iterator, Mapping

from experiments.reference.skill import Skill
from experiments.reference.skills.calendar import DATES, DAYS, MONTHS_ON
from experiments.reference.skills.chains import HOPS, SPACE
from experiments.reference.skills.commands import SETTING, SWITCHING
from experiments.reference.skills.household import BELONGING, KEEPING, OWNERS
from experiments.reference.skills.memory import FAVOURITES, PLACES, SEVERAL_FAVOURITES, SEVERAL_PLACES
from experiments.reference.skills.ordering import COUNTING, ECHO, REVERSING, SORTING
from experiments.reference.skills.reckoning import ADDITION, HOURS, SUBTRACTION
from experiments.reference.skills.robot import ROBOT
from experiments.reference.skills.talk import TALK
from experiments.reference.skills.untold import UNTOLD_BOSS, UNTOLD_FAVOURITE, UNTOLD_FOLLOWING, UNTOLD_PLACE

SKILLS: Mapping[str, Skill] = {
    skill.name: skill
    for skill in (
        ADDITION,
        SUBTRACTION,
        HOURS,
        DAYS,
        MONTHS_ON,
        DATES,
        SORTING,
        REVERSING,
        COUNTING,
        ROBOT,
        PLACES,
        SEVERAL_PLACES,
        FAVOURITES,
        SEVERAL_FAVOURITES,
        HOPS,
        SPACE,
        UNTOLD_PLACE,
        UNTOLD_FAVOURITE,
        UNTOLD_BOSS,
        UNTOLD_FOLLOWING,
        BELONGING,
        OWNERS,
        KEEPING,
        SWITCHING,
        SETTING,
        TALK,
        ECHO,
    )
}


def rows() -> Iterator[tuple[str, int]]:
    """Every skill at every difficulty that is evaluated."""
    for skill in SKILLS.values():
        for difficulty in skill.difficulties:
            yield skill.name, difficulty
