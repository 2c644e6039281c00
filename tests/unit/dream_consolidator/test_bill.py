"""What a stretch of a dream costs is claimed while it lasts, each processor second and joule once."""

from nodes.dream_consolidator.bill import HELD_S, Bill
from protocol.messages.metabolism import Reserve, Settle


def test_each_claim_is_of_what_was_spent_since_the_one_before():
    bill = Bill("d/1", 40.0)
    claims = []
    for spent_s in (30.0, 61.0, 61.0, 75.5):
        bill.spent(spent_s)
        if (claim := bill.claim()) is not None:
            claims.append(claim)
            bill.booked(1.0)
    assert [(claim.ident, claim.cpu_s, claim.kind, claim.out_of) for claim in claims] == [
        ("d/1/1", 30.0, "dream", "d/1"),
        ("d/1/2", 31.0, "dream", "d/1"),
        ("d/1/3", 14.5, "dream", "d/1"),
    ]
    assert bill.charged == 3.0


def test_a_claim_that_was_not_answered_is_made_again_as_it_was():
    bill = Bill("d/1", 40.0)
    bill.spent(30.0)
    first = bill.claim()
    bill.spent(60.0)
    assert bill.claim() == first
    bill.spent(70.0)
    bill.booked(1.0)
    second = bill.claim()
    assert (second.ident, second.cpu_s) == ("d/1/2", 40.0)
    bill.booked(1.0)
    assert bill.claim() is None


def test_where_nothing_was_spent_nothing_is_claimed():
    bill = Bill("d/1", 40.0)
    assert bill.claim() is None
    bill.spent(5.0)
    bill.spent(4.0)
    assert bill.claim().cpu_s == 5.0


def test_what_was_measured_and_what_was_not_are_claimed_apart():
    bill = Bill("d/1", 40.0)
    for spent_s, joules, source in ((1.0, 10.0, "rapl"), (2.0, 12.0, "rapl"), (5.0, 0.0, ""), (6.0, 9.0, "rapl")):
        bill.spent(spent_s, joules, source)
    claims = []
    while (claim := bill.claim()) is not None:
        claims.append((claim.cpu_s, claim.joules, claim.source))
        bill.booked(1.0)
    assert claims == [(2.0, 22.0, "rapl"), (3.0, 0.0, ""), (1.0, 9.0, "rapl")]


def test_joules_count_where_another_process_did_the_work():
    bill = Bill("d/1", 40.0)
    bill.spent(0.0, 30.0, "rapl")
    assert (bill.claim().cpu_s, bill.claim().joules) == (0.0, 30.0)


def test_what_is_left_of_what_was_expected_stays_held_and_a_part_of_it_again_once_it_is_used_up():
    bill = Bill("d/1", 40.0)
    held = []
    for cost in (10.0, 25.0, 5.0, 4.0, 7.0):
        held.append(bill.wish().atp)
        bill.spent(sum(held))
        bill.claim()
        bill.booked(cost)
    assert held == [40.0, 30.0, 5.0, 10.0, 6.0]
    assert bill.wish() == Reserve(ident="d/1", kind="dream", atp=10.0, ttl_s=HELD_S)


def test_the_last_claim_gives_back_the_rest():
    bill = Bill("d/1", 40.0)
    bill.spent(3.0)
    bill.over()
    assert bill.claim().ident == "d/1/1"
    bill.booked(1.5)
    assert bill.claim() == Settle(ident="d/1", kind="dream")
    bill.booked(0.0)
    assert bill.claim() is None
