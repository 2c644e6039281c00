"""Writes the word vectors and the labelled set that ship: `python -m experiments.context.release`.

The vectors come from the token embeddings of the sensory model, and from the company that words keep in questions of
the taught side of the curriculum, in the facts told before them and in their right answers. No label of a context has
any part in it.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from experiments.context.dialogues import DIALOGUES, SEED, dialogues
from experiments.context.split import Side, halves
from experiments.reference.curriculum import USER, questions
from experiments.reference.family import WEIGHTS
from experiments.reference.skills import SKILLS
from experiments.reference.split import Split
from nodes.context_classifier.export import Line, table
from runtime.paths import write_atomically

PATH = Path(__file__).with_name("words.safetensors")
SET = Path(__file__).with_name("held_out.jsonl")
QUESTIONS = 150
"""Of every skill at every difficulty."""


def lines(*, side: Side | None = None) -> Iterator[Line]:
    """The taught side of the curriculum, one line for every utterance. `side`: only questions in its wordings."""
    for skill in SKILLS.values():
        bodies = {template.id: template.body for template in skill.templates}
        wordings = halves(skill.name, skill.bodies)[side] if side else skill.bodies
        for difficulty in skill.difficulties[:3]:
            for question in questions(Split.TRAIN, skill.name, difficulty, 5, QUESTIONS):
                if bodies[question.template] not in wordings:
                    continue
                *told, asked = question.messages
                yield Line(asked.content, question.answer)
                yield from (_told(message.content) for message in told if message.role == USER)


def _told(text: str) -> Line:
    """What is told is what will be answered to a question about it."""
    return Line(text, text)


def main() -> None:
    for path, data in ((PATH, table(WEIGHTS / "sensory", list(lines()))), (SET, labelled())):
        write_atomically(path, data, mode=0o644)
        print(f"{path}: {len(data):,} bytes")


def labelled() -> bytes:
    """The held-out dialogues, one a line; what only makes the memory warm is left out."""
    shipped = (msgspec.structs.replace(one, unrelated=()) for one in dialogues(Side.HELD_OUT, SEED, DIALOGUES))
    return b"".join(msgspec.json.encode(one) + b"\n" for one in shipped)


if __name__ == "__main__":
    main()
