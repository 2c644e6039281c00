"""All skills, in the order in which a question is looked for among them."""

from collections.abc import Mapping

from experiments.reference.skill import Skill
from experiments.reference.skills.commands import DEVICES
from experiments.reference.skills.household import BELONGING, OWNERS
from experiments.reference.skills.memory import FAVOURITES, HOPS, PLACES, UNTOLD
from experiments.reference.skills.ordering import ECHO, REVERSING, SORTING
from experiments.reference.skills.reckoning import ADDITION, DAYS, HOURS
from experiments.reference.skills.talk import TALK

SKILLS: Mapping[str, Skill] = {
    skill.name: skill
    for skill in (
        ADDITION,
        HOURS,
        DAYS,
        SORTING,
        REVERSING,
        PLACES,
        UNTOLD,
        FAVOURITES,
        HOPS,
        BELONGING,
        OWNERS,
        DEVICES,
        TALK,
        ECHO,
    )
}
