from runtime.bench.record import Record, at_least, at_most, environment, report


def test_a_goal_is_met_at_its_target_and_not_beyond():
    assert at_most("a", "", target=1.0, measured=1.0).met
    assert not at_most("a", "", target=1.0, measured=1.01).met
    assert at_least("a", "", target=1.0, measured=1.0).met
    assert not at_least("a", "", target=1.0, measured=0.99).met


def test_a_goal_that_could_not_be_measured_is_not_met_and_stays():
    for make in (at_most, at_least):
        goal = make("a", "something", target=0.0, measured=None)
        assert not goal.met
        assert goal.measured is None


def test_the_environment_names_versions_of_what_is_there_and_says_what_is_not():
    where = environment(quick=True, seed=3, packages=("msgspec", "no-such-package"))
    assert where["quick"]
    assert where["seed"] == 3
    assert where["cores"] >= 1
    assert where["versions"]["msgspec"][0].isdigit()
    assert where["versions"]["no-such-package"] == "not installed"


def test_the_report_shows_goals_text_and_nested_figures():
    goals = [
        at_most("a", "quick enough", target=1.5, measured=2.0),
        at_least("b", "many enough", target=40_000, measured=None),
    ]
    figures = {"p50": 12.345, "other": {"p50": 1, "note": "a|b"}}
    shown = report(Record(name="thing", environment={"cores": 2}, figures=figures, goals=goals), text="Some words.")
    assert "# thing" in shown
    assert "| quick enough | 1.5 | 2 | not met |" in shown
    assert "| many enough | 40,000 | not measured | not met |" in shown
    assert "Some words." in shown
    assert "| p50 | 12.35 |" in shown
    assert "| other.p50 | 1 |" in shown
    assert "| other.note | a\\|b |" in shown
    assert "| cores | 2 |" in shown


def test_a_terminal_is_spared_more_figures_than_can_be_read():
    figures = {f"figure {number}": number for number in range(500)}
    record = Record(name="thing", environment={}, figures=figures, goals=[])
    brief = report(record, brief=True)
    assert "500 figures: `--out DIRECTORY` writes them down" in brief
    assert "figure 77" not in brief
    assert "figure 77" in report(record)
