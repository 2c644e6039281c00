"""Conversations that the student has with itself: what it was never asked, and can do, is found there. Imports torch.

It goes on from where the template lets a user speak (Xu et al. 2024, Magpie, section 2), and, where a conversation
goes on, from where it has answered. So what it does with things told before is rehearsed, too. Half of all end with
their first question, half of the others with the second, and so on.

Every batch has chances of its own and is written down, so that one that was interrupted goes on to the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

import torch

from nodes.dream_consolidator.distiller.answering import answers, batches, ended, text
from nodes.dream_consolidator.distiller.decoding import decode
from nodes.dream_consolidator.distiller.targets import question_prefix
from nodes.dream_consolidator.distiller.workbench import Workbench
from nodes.dream_consolidator.selection import lessons as sorting
from nodes.dream_consolidator.selection.lessons import Messages, SelfAsked
from nodes.dream_consolidator.selection.select import Question
from protocol.messages.model import ChatMessage

_QUESTION_TOKENS = 64
"""A question that the student makes up and that has not ended by then is dropped."""


def self_asked(bench: Workbench) -> SelfAsked:
    """What the student asks itself as it answers now, by its use."""
    known = bench.folder.unseal("asked", SelfAsked)
    if known is not None:
        return known
    select = bench.job.settings.select
    asked = sorting.sort_self_asked(
        _talks(bench, select.self_asked, select.turns), bench.folder.material(), select.near
    )
    bench.folder.seal("asked", asked)
    return asked


def _talks(bench: Workbench, wanted: int, turns: int) -> list[Messages]:
    """Conversations, each up to its last question."""
    talks: dict[str, Messages] = {str(number): () for number in range(wanted)}
    going = list(talks)
    for turn in range(turns):
        before = _answered(bench, turn, {ident: talks[ident] for ident in going}) if turn else dict.fromkeys(going, ())
        questions = _questions(bench, turn, before)
        going = [ident for ident in going if questions.get(ident)]
        talks |= {ident: (*before[ident], ChatMessage(role="user", content=questions[ident])) for ident in going}
        going = going[: wanted >> (turn + 1)]
    return [talk for talk in talks.values() if talk]


def _answered(bench: Workbench, turn: int, talks: Mapping[str, Messages]) -> dict[str, Messages]:
    """The conversations with the student's answer, without those in which it found no end."""
    open_ = [Question(ident=ident, messages=talk) for ident, talk in talks.items()]
    said = answers(bench, f"said-{turn}", open_, bench.job.student, bench.in_force, whole=True)
    return {
        ident: (*talk, ChatMessage(role="assistant", content=said[ident]))
        for ident, talk in talks.items()
        if said[ident]
    }


def _questions(bench: Workbench, turn: int, talks: Mapping[str, Messages]) -> dict[str, str]:
    """Ident → what the user says next, drawn at temperature 1; empty where that found no end."""
    name = f"asked-{turn}"
    known = bench.folder.unseal(name, dict[str, str]) or {}
    if len(known) == len(talks):
        return known
    loaded = bench.model(bench.job.student, bench.in_force)
    prefixes = {ident: question_prefix(loaded, talk) for ident, talk in talks.items()}
    at_once = bench.job.settings.teach.at_once
    parts = list(batches(prefixes, lambda prefix: len(prefix) + _QUESTION_TOKENS, at_once))
    for number, part in enumerate(parts):
        if part[0] in known:
            continue
        bench.report("teach", len(known), len(talks), None)
        seed = Random(f"{bench.job.seed}/{turn}/{number}").getrandbits(63)
        generator = torch.Generator().manual_seed(seed)
        prompts = [prefixes[ident] for ident in part]
        rows = decode(loaded, prompts, limit=_QUESTION_TOKENS, check=bench.check, generator=generator)
        known |= {ident: text(loaded, row) if ended(loaded, row) else "" for ident, row in zip(part, rows, strict=True)}
        bench.folder.seal(name, known)
    return known
