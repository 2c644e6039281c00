from runtime.bench import bus_report
from runtime.bench.bus_report import Measured
from runtime.bench.contenders import Trial


def measured(**absent) -> Measured:
    made = Measured()
    for name, times in (("sage", 100.0), ("floor_blocking", 80.0), ("floor_asyncio", 110.0), ("dora", 160.0)):
        if name not in absent:
            made.event_us[name] = [[times, times, times + 1], [times * 2, times * 2, times * 2 + 1]]
    for name in ("sage", "floor_asyncio"):
        made.call_us[name] = [[300.0], [310.0]]
    made.rates["sample"] = {"sage": [(40_000, Trial(4000, 4000, 0.1)), (80_000, Trial(8000, 7990, 0.1))]}
    made.rates["block"] = {"sage": [(1000, Trial(100, 100, 0.1))]}
    made.flood = {"sent": 1000, "received": 400, "gaps": 500, "dropped": 100, "refused": 0}
    made.absent = absent
    return made


def goals(outcome):
    return {goal.id: goal for goal in outcome.goals}


def test_figures_are_pooled_and_ratios_taken_round_by_round():
    figures = bus_report.outcome(measured()).figures
    assert figures["event_us_p50"] == 150.5
    assert figures["call_us_p50"] == 305.0
    assert figures["event_us_p50_ratio"]["dora"] == {"median": 0.625, "low": 0.625, "high": 0.625, "rounds": 2}
    assert figures["mb_per_s"] == 65.5


def test_the_rate_is_that_of_the_best_trial_that_lost_nothing():
    outcome = bus_report.outcome(measured())
    assert outcome.figures["events_per_s"] == 40_000
    assert outcome.figures["lost"] == 0
    assert goals(outcome)["events_per_s"].met


def test_where_every_trial_lost_something_the_rate_is_none_and_the_loss_is_shown():
    made = measured()
    made.rates["sample"]["sage"] = [(40_000, Trial(4000, 3000, 0.1))]
    outcome = bus_report.outcome(made)
    assert outcome.figures["events_per_s"] == 0
    assert outcome.figures["lost"] == 1000
    assert not goals(outcome)["events_per_s"].met


def test_an_absent_peer_keeps_its_goal_unmet_and_its_reason_in_the_report():
    outcome = bus_report.outcome(measured(dora="pip had no network"))
    goal = goals(outcome)["event_vs_dora"]
    assert (goal.measured, goal.met) == (None, False)
    assert outcome.figures["absent"] == {"dora": "pip had no network"}
    assert "dora-rs was not measured: pip had no network" in outcome.text


def test_a_message_that_nobody_counted_is_unaccounted_for():
    made = measured()
    assert goals(bus_report.outcome(made))["losses_counted"].met
    for gaps in (499, 501):
        made.flood["gaps"] = gaps
        goal = goals(bus_report.outcome(made))["losses_counted"]
        assert (goal.measured, goal.met) == (1, False)


def test_a_trial_worked_if_all_came_and_more_was_not_offered_in_vain():
    assert bus_report.worked(1000, Trial(100, 100, 0.101))
    assert not bus_report.worked(1000, Trial(100, 99, 0.1))
    assert not bus_report.worked(1000, Trial(100, 100, 0.21))


def test_every_contender_is_in_the_plot():
    drawn = bus_report.plot(measured()).decode()
    assert all(name in drawn for name in ("sage", "floor_blocking", "floor_asyncio", "dora"))
