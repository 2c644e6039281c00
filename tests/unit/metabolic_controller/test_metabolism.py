"""Machine, account and senses as they live together, in virtual time."""

from nodes.metabolic_controller import energy, senses
from nodes.metabolic_controller.config import MetabolismConfig
from nodes.metabolic_controller.metabolism import Metabolism, Standing
from nodes.metabolic_controller.senses import Senses
from protocol.messages.metabolism import Metabolic, Settle
from runtime import config as files
from runtime import paths

CONFIG = files.load(paths.shipped("configs/metabolism.yaml"), MetabolismConfig)
WAKE, FOCUS, REST, DREAM, CRISIS = Metabolic


def alive(state: Metabolic = WAKE, atp: float = 50.0, **sensed: object) -> Metabolism:
    """It entered `state` as transition 7, at time 0."""
    standing = Standing(state=state, number=7, reason="test", since_s=0.0)
    account = energy.holding(atp)
    return Metabolism(CONFIG, standing, account, Senses(stirred_s=0.0, **sensed))


def entered(whole: Metabolism, seconds: range) -> list[Metabolic]:
    """States entered while time passes second by second."""
    made = [whole.advance(float(second)) for second in seconds]
    return [standing.state for standing in made if standing]


def test_silence_leads_through_rest_to_a_dream_and_back_when_it_is_over():
    whole = alive(lessons=8)
    assert entered(whole, range(1, 700)) == [REST, DREAM]
    assert whole.standing.number == 9
    assert whole.standing.previous is REST
    whole.sensed = senses.learned(whole.sensed, 0)
    assert entered(whole, range(700, 9000)) == [REST]


def test_whoever_rouses_finds_the_whole_awake_at_once():
    for state in (REST, DREAM):
        whole = alive(state, lessons=99)
        made = whole.rouse("a question", 0.2, 1000.0)
        assert (made.state, made.number, whole.standing) == (WAKE, 8, made)
        assert whole.advance(1001.0) is None
    crisis = alive(CRISIS)
    assert crisis.rouse("a question", 0.2, 1.0) is None
    assert crisis.standing.state is CRISIS


def test_a_wish_is_followed_at_once_and_holds_until_somebody_stirs():
    whole = alive()
    made, refused = whole.request(DREAM, 1.0)
    assert (made.state, refused) == (DREAM, "")
    assert whole.advance(300.0) is None
    whole.sensed = senses.speech(whole.sensed, True, 301.0)
    assert whole.advance(301.0).state is WAKE
    whole.sensed = senses.speech(whole.sensed, False, 302.0)
    assert whole.advance(310.0) is None, "roused is roused; the wish is over"


def test_a_wish_for_sleep_is_refused_while_somebody_speaks_and_leaves_no_trace():
    whole = alive()
    whole.sensed = senses.speech(whole.sensed, True, 1.0)
    assert whole.request(REST, 2.0) == (None, "REST was refused: somebody is speaking")
    assert whole.sensed.wish is None


def test_an_operator_may_call_a_crisis_and_call_it_off():
    whole = alive(REST)
    assert whole.request(CRISIS, 1.0)[0].state is CRISIS
    made, later = whole.request(FOCUS, 2.0)
    assert (made, later) == (None, "FOCUS follows when CRISIS has lasted its shortest time")
    assert [whole.advance(now).state for now in (22.0, 22.5)] == [WAKE, FOCUS]


def test_a_settlement_counts_once_it_is_taken_over():
    whole = alive()
    claim = Settle(ident="x", cpu_s=4.0)
    settlement = whole.settle(claim, None, 0.0)
    assert whole.account.atp == 50.0
    whole.settled(settlement)
    assert whole.account.atp == 48.0
    whole.settled(whole.settle(claim, settlement.charged, 0.0))
    assert whole.account.atp == 48.0
    whole.settled(whole.settle(Settle(ident="d", kind="dream", cpu_s=2.0), None, 0.0))
    assert whole.account.atp == 47.0


def test_numbers_go_on_from_what_others_have_heard():
    whole = alive()
    made = whole.renumber(40, 3.0)
    assert (made.number, made.state, made.previous) == (41, WAKE, WAKE)


def test_what_is_said_carries_policy_budget_and_wall_time():
    said = alive(REST, atp=-5.0).said(10.0, 1_000_000_000_000)
    assert (said.state, said.number, said.budget) == (REST, 7, 0.0)
    assert said.since_ns == 990_000_000_000
    assert (said.policy.answer, said.policy.keep_models) == ("nobody", False)


def test_a_wish_for_sleep_in_a_crisis_is_followed_once_that_is_over():
    whole = alive(CRISIS)
    made, later = whole.request(REST, 2.0)
    assert (made, later) == (None, "REST follows when CRISIS has lasted its shortest time")
    assert [whole.advance(now).state for now in (22.0, 27.5)] == [WAKE, REST]
