"""Who gets energy held, who is refused, and what becomes of what nobody settles."""

import pytest

from nodes.metabolic_controller import energy, reservations
from nodes.metabolic_controller.accounts import MICRO, imbalance
from nodes.metabolic_controller.config import MetabolismConfig
from nodes.metabolic_controller.metabolism import Metabolism, Standing
from nodes.metabolic_controller.reservations import Reserving
from nodes.metabolic_controller.senses import Senses
from protocol.messages.metabolism import Metabolic, Reserve, Settle
from runtime import config as files
from runtime import paths

ALL = files.load(paths.shipped("configs/metabolism.yaml"), MetabolismConfig)
CONFIG = ALL.energy
WAKE = Metabolic.WAKE


def reserve(
    account: energy.Account, atp: float, state: Metabolic = WAKE, settled: int | None = None, **wish: object
) -> Reserving:
    asked = Reserve(**{"ident": "x", "atp": atp, **wish})
    return reservations.reserve(account, asked, settled, state, CONFIG, account.at_s)


def test_what_is_held_is_not_spent_and_is_not_there_for_others():
    held = reserve(energy.holding(50), 10)
    assert (held.granted, held.held, held.reason) == (True, 10 * MICRO, "")
    assert (held.account.atp, held.account.budget) == (50.0, 40 * MICRO)
    assert imbalance(held.account) == ""
    assert held.available == (40 + 25) * MICRO, "an exchange may overdraw"


def test_a_settlement_gives_back_what_was_held_and_books_what_it_cost():
    held = reserve(energy.holding(50), 10).account
    settled = energy.settle(held, Settle(ident="x", cpu_s=4.0), None, CONFIG).account
    assert (settled.atp, settled.budget, settled.reserved, settled.held) == (48.0, 48 * MICRO, 0, {})
    other = energy.settle(held, Settle(ident="y", cpu_s=4.0), None, CONFIG).account
    assert (other.atp, other.reserved) == (48.0, 10 * MICRO)


def test_asked_again_it_is_held_once():
    held = reserve(energy.holding(50), 10)
    again = reserve(held.account, 10)
    assert (again.granted, again.repeated, again.held, again.account) == (True, True, 10 * MICRO, held.account)
    less = reserve(held.account, 5)
    assert (less.repeated, less.held) == (True, 10 * MICRO)


def test_asked_again_for_more_only_what_is_lacking_is_held_too():
    held = reserve(energy.holding(50), 10)
    more = reserve(held.account, 30)
    assert (more.granted, more.repeated, more.held, more.account.budget) == (True, False, 30 * MICRO, 20 * MICRO)
    assert imbalance(more.account) == ""


def test_a_refusal_to_hold_more_leaves_what_is_held():
    held = reserve(energy.holding(50), 10, kind="dream").account
    refused = reserve(held, 50.5, kind="dream")
    assert (refused.granted, refused.held, refused.account) == (False, 10 * MICRO, held)
    assert refused.reason == "40.50 ATP were asked for, 40.00 may be had"
    assert reserve(held, 50.5, Metabolic.CRISIS, kind="dream").held == 50.5 * MICRO


def test_asked_again_it_is_held_for_longer_and_never_for_less_long():
    held = reserve(energy.holding(50), 10, ttl_s=60).account
    later = energy.elapse(held, WAKE, 50.0, CONFIG)
    assert reserve(later, 10, ttl_s=60).account.held["x"].expires_s == 110.0
    assert reserve(later, 10, ttl_s=5).account.held["x"].expires_s == 60.0


def test_what_is_settled_out_of_it_takes_its_part_and_the_rest_stays_held():
    held = reserve(energy.holding(50), 10, kind="dream").account
    part = energy.settle(held, Settle(ident="x/1", kind="dream", cpu_s=8.0, out_of="x"), None, CONFIG).account
    assert (part.atp, part.reserved, part.budget) == (46.0, 6 * MICRO, 40 * MICRO)
    more = energy.settle(part, Settle(ident="x/2", kind="dream", cpu_s=20.0, out_of="x"), None, CONFIG).account
    assert (more.atp, more.reserved, more.held) == (36.0, 0, {})
    again = energy.settle(part, Settle(ident="x/1", kind="dream", cpu_s=8.0, out_of="x"), 4 * MICRO, CONFIG)
    assert (again.repeated, again.account) == (True, part)
    over = energy.settle(part, Settle(ident="x", kind="dream"), None, CONFIG).account
    assert (over.atp, over.reserved, over.spent) == (46.0, 0, {"dream": 4 * MICRO})


def test_what_was_settled_needs_nothing_held():
    account = energy.holding(50)
    late = reserve(account, 10, settled=2 * MICRO)
    assert (late.granted, late.held, late.reason, late.account) == (True, 0, "settled already", account)


@pytest.mark.parametrize(("kind", "most"), [("exchange", 35.0), ("dream", 10.0), ("load", 10.0)])
def test_only_exchanges_overdraw(kind: str, most: float):
    assert reserve(energy.holding(10), most, kind=kind).granted
    refused = reserve(energy.holding(10), most + 0.5, kind=kind)
    assert (refused.granted, refused.account, refused.available) == (False, energy.holding(10), most * MICRO)
    assert refused.reason == f"{most + 0.5:.2f} ATP were asked for, {most:.2f} may be had"


def test_what_a_dream_holds_is_there_for_whoever_waits_for_an_answer_and_for_no_other_dream():
    held = reserve(energy.holding(50), 40, ident="d", kind="dream").account
    assert not reserve(held, 15, ident="e", kind="dream").granted
    asked = reserve(held, 75)
    assert (asked.granted, asked.available, asked.account.budget) == (True, 0, -65 * MICRO)
    assert not reserve(held, 75.5).granted
    assert not reserve(asked.account, 50, ident="d", kind="dream").granted, "now the dream has no more to hold"
    assert energy.statement(held, CONFIG).reserved_for_dreams == 40.0


def test_nobody_is_refused_in_a_crisis():
    for kind in ("exchange", "dream", "load"):
        assert reserve(energy.holding(-25), 1000, Metabolic.CRISIS, kind=kind).granted


def test_whoever_has_nothing_cheaper_to_turn_to_is_not_refused():
    held = reserve(energy.holding(-25), 3, least=True)
    assert (held.granted, held.reason) == (True, "beyond what may be had")
    assert not reserve(energy.holding(-25), 3, least=True, kind="dream").granted


def test_holding_and_giving_back_draws_nothing_from_the_reserve():
    held = reserve(energy.holding(-25), 3, Metabolic.CRISIS).account
    assert reservations.release(held, "x").balances == {**energy.holding(-25).balances, "reserved": 0}
    settled = energy.settle(held, Settle(ident="x", cpu_s=2.0), None, CONFIG).account
    assert (settled.atp, settled.reserve) == (-25.0, MICRO)


def test_what_nobody_settles_in_time_is_given_back():
    held = reserve(energy.holding(50), 10, ttl_s=60).account
    assert reservations.expire(held, 59.9) == (held, [])
    after, late = reservations.expire(held, 60.0)
    assert (after.budget, after.reserved, late) == (50 * MICRO, 0, ["x"])
    assert reservations.release(after, "x") == after


def test_what_lapses_is_counted_and_free_again():
    standing = Standing(state=WAKE, number=1, reason="test", since_s=0.0)
    whole = Metabolism(ALL, standing, energy.holding(50), Senses(stirred_s=0.0))
    whole.account = whole.reserve(Reserve(ident="x", atp=10.0, ttl_s=60), None, 0.0).account
    whole.advance(30.0)
    assert (whole.lapsed, set(whole.account.held)) == (0, {"x"})
    whole.advance(60.0)
    assert (whole.lapsed, whole.account.held, whole.account.reserved) == (1, {}, 0)


def test_nothing_is_held_longer_than_allowed_whatever_is_asked_or_the_clock_did():
    held = reserve(energy.holding(50), 10, ttl_s=1e9).account
    assert held.held["x"].expires_s == CONFIG.reservation_limit
    resumed = energy.resume(held, 5000.0, CONFIG)
    assert resumed.held["x"].expires_s == 5000.0 + CONFIG.reservation_limit


def test_what_is_held_at_once_is_bounded_and_nobody_is_refused_for_it(monkeypatch):
    monkeypatch.setattr(reservations, "HELD_AT_MOST", 1)
    full = reserve(energy.holding(50), 10).account
    more = reserve(full, 10, ident="y")
    assert (more.granted, more.held, more.account) == (True, 0, full)
    assert "nothing is held for it" in more.reason
