"""Everything that was seen of an input, and how it was weighed, as one message."""

from __future__ import annotations

from nodes.context_classifier.classify import Observation, Questions, classify, looks, weighed
from nodes.context_classifier.memory import Memory
from protocol.messages.context import ContextExplained


def explained(session: str, memory: Memory, seen: Observation, nearest: int, questions: Questions) -> ContextExplained:
    judged = classify(seen, questions)
    look = looks(seen)
    return ContextExplained(
        session=session,
        turns=len(memory.sessions[session].turns) if session in memory.sessions else 0,
        context=judged.context,
        confidence=judged.confidence,
        probabilities=judged.probabilities,
        why=judged.why,
        encoder=memory.encoder.name,
        fingerprint=memory.encoder.fingerprint,
        nearest=nearest,
        members=seen.members,
        similarity=seen.similarity,
        continuity=seen.continuity,
        last=seen.last,
        echo=seen.echo,
        meant=seen.meant,
        kinship=seen.kinship,
        parallel=seen.parallel,
        run=seen.run,
        repeats=seen.repeats,
        repetition=seen.repetition,
        drift=seen.drift,
        swinging=seen.swinging,
        contradiction=seen.contradiction,
        against=seen.against,
        weighed={name: weighed(look, getattr(questions, name)) for name in questions.__struct_fields__},
    )
