"""How long a choice takes, with all that it looks up in the trust table; and how long a table takes to come in."""

from __future__ import annotations

import time
from dataclasses import replace
from random import Random

from nodes.dialogue.choice import Candidate, Situation, choose
from nodes.dialogue.config import load, load_trust
from nodes.trust_ledger.config import TrustConfig
from nodes.trust_ledger.features import Query
from nodes.trust_ledger.table import CONTEXTS, Arms, fold, table
from protocol.codec import decode_as, encode_body
from protocol.messages.trust import Outcome as Told
from protocol.messages.trust import TrustTable
from runtime.bench.record import at_most
from runtime.bench.session import Outcome, Session
from runtime.bench.statistics import percentile

TOLD, QUICK_TOLD = 20_000, 5_000
CHOICES, QUICK_CHOICES = 20_000, 5_000
VERSIONS = ("v1", "v2")
CLUSTERS = 256
GOAL_MS = 1.0


def measure(session: Session) -> Outcome:
    """A ledger's worth of outcomes over every cluster there may be; then choices, each from a table just come in."""
    random = Random(session.seed)
    config, trust = load(), load_trust()
    names = [level.name for level in config.levels]
    known = table(_arms(random, names, trust, QUICK_TOLD if session.quick else TOLD), 1, 0.0, trust)
    wire = encode_body(known)
    levels = [Candidate(level.name, level.cost, level.accept_at) for level in config.levels]
    count = QUICK_CHOICES if session.quick else CHOICES
    progress = session.progress(count)
    decoding, choosing = [], []
    for number in range(count):
        situation = Situation(
            context=random.choice(CONTEXTS),
            trust=trust,
            versions=dict.fromkeys(names, random.choice(VERSIONS)),
            query=_query(random),
            atp=random.uniform(0, 100),
            draw=random.random(),
        )
        began = time.perf_counter()
        read = decode_as(wire, TrustTable)
        read_at = time.perf_counter()
        chosen = choose(levels, replace(situation, table=read), config.choice)
        ended = time.perf_counter()
        decoding.append(1e3 * (read_at - began))
        choosing.append(1e3 * (ended - read_at))
        session.raw(level=chosen.level, decode_ms=decoding[-1], choose_ms=choosing[-1])
        progress.advance(1, f"choice {number}")
    figures = {
        name: {f"p{share * 100:g}_ms": round(percentile(each, share), 4) for share in (0.5, 0.99, 0.999)}
        for name, each in (("choosing", choosing), ("decoding", decoding))
    }
    goal = at_most(
        "choice",
        "a choice, with what it reads in the table, p99, ms",
        target=GOAL_MS,
        measured=figures["choosing"]["p99_ms"],
    )
    shape = {"table_bytes": len(wire), "weights": sum(len(model.weights) for model in known.models)}
    text = (
        "`choosing` is what an asker waits for. `decoding` is the table's way from the wire, which nobody waits for: "
        "it comes in at most five times a second, and only when something was learned. The table is as large as it can "
        "become with two versions a level: every cluster, every length."
    )
    return Outcome(figures={**figures, **shape}, goals=[goal], text=text)


def _arms(random: Random, names: list[str], trust: TrustConfig, count: int) -> Arms:
    arms: Arms = {}
    for _ in range(count):
        query = _query(random)
        told = Told(
            exchange="",
            session=query.session,
            level=random.choice(names),
            model="",
            version=random.choice(VERSIONS),
            context=query.context,
            score=float(random.random() < 0.8),
            source="verifier",
            atp=1.0,
            cluster=query.cluster,
            words=query.words,
            depth=query.depth,
        )
        arms = fold(arms, told, 0.0, trust)
    return arms


def _query(random: Random) -> Query:
    return Query(
        context=random.choice(CONTEXTS),
        cluster=random.randrange(CLUSTERS),
        words=random.randrange(1, 60),
        depth=random.randrange(20),
        session=f"s{random.randrange(200)}",
    )
