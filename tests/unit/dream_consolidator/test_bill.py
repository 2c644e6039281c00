"""What a stretch of a dream costs is claimed while it lasts, each processor second once."""

from nodes.dream_consolidator.bill import Bill


def test_each_claim_is_of_what_was_spent_since_the_one_before():
    bill = Bill("d/1")
    claims = []
    for spent_s in (30.0, 61.0, 61.0, 75.5):
        bill.spent(spent_s)
        if (claim := bill.claim()) is not None:
            claims.append(claim)
            bill.booked()
    assert [(claim.ident, claim.cpu_s, claim.kind) for claim in claims] == [
        ("d/1/1", 30.0, "dream"),
        ("d/1/2", 31.0, "dream"),
        ("d/1/3", 14.5, "dream"),
    ]


def test_a_claim_that_was_not_answered_is_made_again_as_it_was():
    bill = Bill("d/1")
    bill.spent(30.0)
    first = bill.claim()
    bill.spent(60.0)
    assert bill.claim() == first
    bill.booked()
    second = bill.claim()
    assert (second.ident, second.cpu_s) == ("d/1/2", 30.0)
    bill.booked()
    assert bill.claim() is None


def test_where_nothing_was_spent_nothing_is_claimed():
    bill = Bill("d/1")
    assert bill.claim() is None
    bill.spent(5.0)
    bill.spent(4.0)
    assert bill.claim().cpu_s == 5.0
