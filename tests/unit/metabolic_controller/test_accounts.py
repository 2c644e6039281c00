import pytest

from nodes.metabolic_controller import accounts
from nodes.metabolic_controller.accounts import Account, Posting, Reservation, post


def test_an_amount_only_moves():
    account = post(post(Account(), "opening", "budget", 100), "budget", "spent/exchange", 30, "x")
    assert account.balances == {"opening": -100, "budget": 70, "spent/exchange": 30}
    assert sum(account.balances.values()) == 0
    assert (account.budget, account.opening, account.spent) == (70, 100, {"exchange": 30})
    assert accounts.imbalance(account) == ""


def test_what_is_booked_again_and_again_is_one_posting_until_it_is_written():
    account = Account()
    for _ in range(100):
        account = post(account, "income", "budget", 2, "REST")
    assert account.unwritten == (Posting("income", "budget", 200, "REST"),)
    assert post(account.written(), "income", "budget", 1, "REST").unwritten == (Posting("income", "budget", 1, "REST"),)


def test_nothing_moves_backwards_or_in_circles():
    assert post(Account(), "income", "budget", 0) == Account()
    for source, micro in (("income", -1), ("budget", 1)):
        with pytest.raises(ValueError, match="is no posting"):
            post(Account(), source, "budget", micro)


def test_books_that_do_not_balance_say_what_is_wrong():
    assert accounts.imbalance(Account(balances={"budget": 3})) == "all balances together are 3 micro-ATP, not 0"
    held = {"x": Reservation(kind="exchange", micro=5, expires_s=1.0)}
    assert "but 5 are held" in accounts.imbalance(Account(held=held))
