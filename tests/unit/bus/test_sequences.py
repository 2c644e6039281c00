from runtime.bus.sequences import Sequences

KEY = ("desk", "ear", "audio/speech")


def test_a_gap_is_counted_where_it_is():
    sequences = Sequences()
    assert [sequences.accept(KEY, 1, n, 1 * 1000 + n) for n in (4, 5, 8, 9)] == [True] * 4
    assert sequences.lost == 2
    assert sequences.gaps() == {KEY: 2}


def test_what_comes_twice_or_late_is_not_delivered_again():
    sequences = Sequences()
    assert [sequences.accept(KEY, 1, n, 1 * 1000 + n) for n in (1, 2, 2, 1)] == [True, True, False, False]
    assert (sequences.repeated, sequences.lost) == (2, 0)


def test_a_source_born_while_we_listened_is_missed_from_its_first_message():
    sequences = Sequences(live_since_ms=100)
    assert sequences.accept(KEY, 150, 3, 150 * 1000 + 3)
    assert sequences.lost == 2


def test_of_a_source_older_than_us_we_cannot_know_what_went_before():
    sequences = Sequences(live_since_ms=100)
    assert sequences.accept(KEY, 50, 3, 50 * 1000 + 3)
    assert sequences.lost == 0


def test_a_reborn_source_begins_again_and_its_ghost_is_ignored():
    sequences = Sequences()
    sequences.accept(KEY, 1, 900, 1 * 1000 + 900)
    assert sequences.accept(KEY, 2, 1, 2 * 1000 + 1)
    assert not sequences.accept(KEY, 1, 901, 1 * 1000 + 901)
    assert sequences.lost == 0


def test_a_snapshot_counts_no_gap_and_nothing_older_follows_it():
    sequences = Sequences()
    sequences.accept(KEY, 1, 2, 1 * 1000 + 2)
    assert sequences.rebase(KEY, 1, 7, 1 * 1000 + 7)
    assert not sequences.accept(KEY, 1, 6, 1 * 1000 + 6)
    assert sequences.accept(KEY, 1, 8, 1 * 1000 + 8)
    assert not sequences.rebase(KEY, 1, 8, 1 * 1000 + 8)
    assert sequences.lost == 0


def test_names_without_end_do_not_fill_the_memory():
    sequences = Sequences()
    for number in range(5000):
        sequences.accept(("desk", f"source-{number}", "a/b"), 1, 1, 1 * 1000 + 1)
    assert len(sequences._tracks) == 4096
    assert sequences.forgotten == 5000 - 4096


def test_a_source_reborn_after_the_clock_was_set_back_is_heard():
    sequences = Sequences()
    sequences.accept(KEY, 2_000, 5, mono_ns=50)
    assert sequences.accept(KEY, 1_000, 1, mono_ns=60)
    assert not sequences.accept(KEY, 1_000, 1, mono_ns=60)


def test_a_source_on_a_rebooted_host_is_heard_though_monotonic_time_began_again():
    sequences = Sequences()
    sequences.accept(KEY, 1_000, 5, mono_ns=9_000)
    assert sequences.accept(KEY, 2_000, 1, mono_ns=10)
