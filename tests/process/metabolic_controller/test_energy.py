"""The energy account as others meet it: held before, settled after, kept over a kill, and told hour by hour."""

import signal

import pytest

from protocol.errors import BadRequest
from protocol.messages.metabolism import BooksRequest, Metabolic, RequestState, Reserve, Settle
from tests.fabric import PATIENCE_S, fabric
from tests.process.metabolic_controller.test_node import MODULE, NAME


@pytest.fixture
async def system():
    async with fabric() as made:
        await made.node(MODULE, NAME)
        yield made


async def ask(system, request):
    return await system.client.call(NAME, request, deadline=PATIENCE_S)


async def test_what_is_held_survives_a_kill_and_is_settled_once(system):
    held = await ask(system, Reserve(ident="x", atp=30.0, ttl_s=600))
    assert (held.granted, held.atp, held.reason) == (True, 30.0, "")
    assert held.available == pytest.approx(95.0, abs=0.5)
    await system.end(NAME, signal.SIGKILL)
    await system.node(MODULE, NAME)
    books = await ask(system, BooksRequest())
    (kept,) = books.held
    assert (kept.ident, kept.micro, books.balances["reserved"]) == ("x", 30_000_000, 30_000_000)
    assert 0 < kept.expires_in_s <= 600
    assert (await ask(system, Settle(ident="x", cpu_s=4.0))).atp == 2.0
    assert (await ask(system, Reserve(ident="x", atp=30.0))).reason == "settled already"
    books = await ask(system, BooksRequest())
    assert (books.problem, books.held, sum(books.balances.values())) == ("", [], 0)
    assert books.balances["spent/exchange"] == 2_000_000
    (moved,) = [one for one in books.moved if one.target == "spent/exchange"]
    assert (moved.source, moved.micro, moved.count) == ("budget", 2_000_000, 1)


async def test_dear_wishes_are_refused_but_not_in_a_crisis_and_senseless_ones_by_name(system):
    refused = await ask(system, Reserve(ident="x", atp=1000.0))
    assert (refused.granted, refused.atp) == (False, 0.0)
    assert "1000.00 ATP were asked for, 12" in refused.reason
    assert refused.available == pytest.approx(125.0, abs=0.5)
    await ask(system, RequestState(state=Metabolic.CRISIS))
    assert (await ask(system, Reserve(ident="x", atp=1000.0))).granted
    for senseless in (
        Reserve(ident=""),
        Reserve(ident="x", kind="fun"),
        Reserve(ident="x", atp=-1.0),
        Reserve(ident="x", atp=1e12),
        Settle(ident="x", joules=float("nan")),
        BooksRequest(since_ns=5, until_ns=4),
        BooksRequest(since_ns=1, until_ns=40 * 86_400 * 10**9),
    ):
        with pytest.raises(BadRequest):
            await ask(system, senseless)
