"""The ledger as a process: what it acknowledged is kept through a crash, and shown to late joiners."""

import asyncio
import contextlib
import signal
import sqlite3

import pytest

from protocol.errors import BadRequest, SageError
from protocol.messages.node import NodeState
from protocol.messages.trust import (
    ExplainEntry,
    IdentitiesRequest,
    Outcome,
    TableRequest,
    TensorsRequest,
    VerifyRequest,
)
from tests.fabric import PATIENCE_S, fabric
from tests.process.trust_ledger.teller import LAST
from tests.unit.trust_ledger.told import GROUND

NAME = "trust_ledger"
MODULE = "nodes.trust_ledger.node"
EDITED = "entry 5 (x1/sensory) was edited: what it says is not what was signed"


@pytest.fixture
async def system():
    async with fabric() as made:
        yield made


def outcome(number: int, **other: object) -> Outcome:
    told = {"level": "sensory", "score": 1.0, "context": "stable", **other}
    return Outcome(exchange=f"x{number}", session="s", model="m", version="v", source="arithmetic", **told)


async def ask(system, request):
    return await system.client.call(NAME, request, deadline=PATIENCE_S)


async def test_outcomes_are_recorded_once_and_make_the_table(system):
    await system.node(MODULE, NAME)
    recorded = await asyncio.gather(*(ask(system, outcome(number)) for number in range(20)))
    assert sorted(one.entry for one in recorded) == list(range(GROUND + 1, GROUND + 21))
    again = await ask(system, outcome(7))
    assert (again.repeated, again.entry) == (True, recorded[7].entry)
    async with system.client.events("trust/table") as events, asyncio.timeout(PATIENCE_S):
        async for event in events:
            if event.body.entries == GROUND + 20:
                break
    (row,) = [row for row in event.body.rows if row.context == "stable"]
    assert row.evidence == pytest.approx(20, rel=0.05)
    assert row.low < row.mean < row.high
    assert (await ask(system, VerifyRequest())).ok
    for senseless in (
        outcome(1, score=1.5),
        outcome(1, level=""),
        outcome(1, context=""),
        outcome(1, atp=float("nan")),
        outcome(1, seconds=float("inf")),
        outcome(1, cpu_s=-1.0),
    ):
        with pytest.raises(BadRequest):
            await ask(system, senseless)


async def test_what_was_acknowledged_survives_a_crash_and_gives_the_same_table(system):
    await system.node(MODULE, NAME)
    acknowledged: set[str] = set()

    async def tell(number: int) -> None:
        with contextlib.suppress(SageError):
            acknowledged.add((await ask(system, outcome(number))).exchange)

    telling = [asyncio.create_task(tell(number)) for number in range(400)]
    await asyncio.wait(telling, return_when=asyncio.FIRST_COMPLETED)
    await system.end(NAME, signal.SIGKILL)
    await asyncio.gather(*telling)
    await system.node(MODULE, NAME)
    verified = await ask(system, VerifyRequest())
    assert verified.ok
    assert verified.entries >= len(acknowledged) > 0
    for number in (int(name[1:]) for name in sorted(acknowledged)[:10]):
        assert (await ask(system, outcome(number))).repeated
    before = await ask(system, TableRequest())
    await system.end(NAME)
    await system.node(MODULE, NAME)
    after = await ask(system, TableRequest())
    assert after.entries == before.entries
    for row, same in zip(before.rows, after.rows, strict=True):
        assert (row.level, row.version, row.context) == (same.level, same.version, same.context)
        assert same.mean == pytest.approx(row.mean, abs=1e-4)


async def test_a_ledger_that_was_tampered_with_says_so_and_goes_on(system):
    await system.node(MODULE, NAME)
    for number in range(3):
        await ask(system, outcome(number))
    await system.end(NAME)
    with contextlib.closing(sqlite3.connect(system.state_dir / "trust.sqlite", isolation_level=None)) as base:
        base.execute("UPDATE entries SET body = zeroblob(90) WHERE number = 5")
    record = await system.node(MODULE, NAME)
    assert record.state is NodeState.DEGRADED
    assert EDITED in record.reason
    verified = await ask(system, VerifyRequest())
    assert (verified.ok, verified.entries, verified.problems) == (False, 6, [EDITED])
    assert (await ask(system, outcome(9))).entry == 7


async def test_an_outcome_names_the_weights_that_answered_and_the_node_that_told(system):
    await system.node(MODULE, NAME)
    async with system.client.events("trust/recorded") as events, asyncio.timeout(PATIENCE_S):
        await system.node("tests.process.trust_ledger.teller", "dialogue")
        async for event in events:
            if event.body.exchange == LAST:
                break
    known = {lct.subject.kind: lct for lct in (await ask(system, IdentitiesRequest())).identities}
    assert set(known) == {"host", "model", "adapter", "node"}
    assert known["adapter"].lineage == [known["model"].id]
    explained = await ask(system, ExplainEntry(entry=LAST))
    assert explained.action.role.subject == known["adapter"].id
    assert explained.action.request.by == known["node"].id
    (row,) = (await ask(system, TensorsRequest(subject="adapter"))).rows
    assert (row.subject, row.role, row.context) == (known["adapter"].id, "sensory", "stable")
    assert [change.outcome for change in row.changes] == ["success"]
