from nodes.metabolic_controller import energy
from nodes.metabolic_controller.accounts import Posting
from nodes.metabolic_controller.config import MetabolismConfig
from nodes.metabolic_controller.energy import MICRO
from protocol.messages.metabolism import Metabolic, Settle
from runtime import config as files
from runtime import paths

CONFIG = files.load(paths.shipped("configs/metabolism.yaml"), MetabolismConfig).energy


def account(atp: float = 50.0) -> energy.Account:
    return energy.holding(atp)


def test_a_state_earns_and_costs_by_the_minute():
    after = energy.elapse(account(), Metabolic.REST, 60.0, CONFIG)
    assert (after.income, after.spent) == (6 * MICRO, {"base": MICRO // 2})
    assert after.atp == 55.5


def test_income_beyond_the_capacity_is_not_taken():
    after = energy.elapse(account(99.0), Metabolic.REST, 3600.0, CONFIG)
    assert after.atp == 100.0
    assert after.income == MICRO + after.spent["base"]


def test_a_clock_that_goes_back_books_nothing():
    later = energy.elapse(account(), Metabolic.REST, 60.0, CONFIG)
    assert energy.elapse(later, Metabolic.REST, 10.0, CONFIG).atp == later.atp


def test_an_exchange_costs_its_processor_seconds():
    settled = energy.settle(account(), Settle(ident="x", cpu_s=4.0), None, CONFIG)
    assert (settled.charged, settled.repeated) == (2 * MICRO, False)
    assert settled.account.spent == {"exchange": 2 * MICRO}
    assert settled.account.unwritten[-1] == Posting("budget", "spent/exchange", 2 * MICRO, "x")
    assert settled.account.atp == 48.0


def test_joules_go_before_processor_seconds_where_they_were_measured():
    assert energy.cost(Settle(ident="x", cpu_s=4.0, joules=10.0), CONFIG) == MICRO // 2


def test_what_was_settled_is_not_charged_again():
    before = account()
    settled = energy.settle(before, Settle(ident="x", cpu_s=9.0), 2 * MICRO, CONFIG)
    assert (settled.account, settled.charged, settled.repeated) == (before, 2 * MICRO, True)


def test_what_is_spent_beyond_the_overdraft_comes_out_of_the_reserve():
    spent = energy.settle(account(10.0), Settle(ident="x", cpu_s=100.0), None, CONFIG).account
    assert spent.atp == -CONFIG.overdraft
    assert spent.reserve == (50 - 10 - 25) * MICRO
    assert spent.spent == {"exchange": 50 * MICRO}


def test_the_statement_adds_up():
    spent = energy.settle(account(10.0), Settle(ident="x", cpu_s=100.0), None, CONFIG).account
    said = energy.statement(energy.elapse(spent, Metabolic.REST, 90.0, CONFIG), CONFIG)
    assert said.opening + said.income - sum(said.spent.values()) == said.atp
    assert set(said.spent) == {"base", "exchange"}


def test_a_time_in_which_nobody_kept_the_account_is_not_booked():
    resumed = energy.resume(account(), 5000.0, CONFIG)
    assert energy.elapse(resumed, Metabolic.REST, 5000.0, CONFIG).atp == 50.0
