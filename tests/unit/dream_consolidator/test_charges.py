"""What dreams were charged says what the next of a level is expected to cost."""

from pathlib import Path

from nodes.dream_consolidator.charges import Charge, Charges, added, expected


def test_the_first_dream_of_a_level_is_taken_to_cost_what_is_configured():
    known = (Charge(dream="a", level="tactical", atp=90.0, ended=True),)
    assert expected(known, "d", "sensory", 40.0) == 40.0


def test_a_dream_is_expected_to_cost_what_those_of_its_level_did_in_the_middle():
    known = ()
    for number, atp in enumerate([500.0, 10.0, 12.0, 14.0, 90.0, 11.0]):
        known = added(known, f"d{number}", "sensory", atp, ended=True)
    assert len(known) == 5, "the oldest is forgotten"
    assert expected(known, "d", "sensory", 40.0) == 12.0


def test_stretches_add_up_to_the_dream_and_what_is_left_of_it_is_expected():
    known = added((), "d", "sensory", 30.0, ended=False)
    assert expected(known, "other", "sensory", 40.0) == 40.0, "what has not ended says nothing of others"
    assert expected(known, "d", "sensory", 40.0) == 10.0
    known = added(known, "d", "sensory", 50.0, ended=False)
    assert expected(known, "d", "sensory", 40.0) == 10.0, "never less than a quarter"
    known = added(known, "d", "sensory", 5.0, ended=True)
    assert known == (Charge(dream="d", level="sensory", atp=85.0, ended=True),)


def test_what_was_charged_outlives_the_process_and_a_damaged_file_says_so(tmp_path: Path):
    path = tmp_path / "charges.json"
    charges = Charges(path)
    charges.add("d", "sensory", 25.0, ended=True)
    assert Charges(path).expected("e", "sensory", 40.0) == 25.0
    assert (Charges(path).of("d"), Charges(path).of("e")) == (25.0, None)
    path.write_text("[3]")
    damaged = Charges(path)
    assert str(path) in damaged.problem
    assert damaged.expected("e", "sensory", 40.0) == 40.0
