import sqlite3
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nodes.trust_ledger.chain import Entry
from nodes.trust_ledger.ledger import Ledger
from tests.unit.trust_ledger.told import append, open_ledger, outcome

ENTRIES = 8


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory):
    made = open_ledger(tmp_path_factory.mktemp("ledger"))
    append(made, [outcome(number, source="user" if number % 2 else "confidence") for number in range(5)])
    assert made.count() == ENTRIES
    yield made
    made.close()


def changed(value: object, at: int) -> object:
    """Another value of the same kind: a bit flipped, a letter more, a number higher."""
    if isinstance(value, bytes):
        place = at % len(value)
        return value[:place] + bytes([value[place] ^ (1 << at % 8)]) + value[place + 1 :]
    return value + "x" if isinstance(value, str) else value + 1 + at


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, ENTRIES), st.sampled_from(Entry.__struct_fields__), st.integers(0, 10_000))
def test_whatever_bit_of_whatever_column_is_changed_it_is_named(written: Ledger, number: int, column: str, at: int):
    with closing(sqlite3.connect(written.path, isolation_level=None)) as base:
        (value,) = base.execute(f"SELECT {column} FROM entries WHERE number = ?", (number,)).fetchone()
        other = changed(value, at + ENTRIES if column == "number" else at)
        base.execute(f"UPDATE entries SET {column} = ? WHERE number = ?", (other, number))
        try:
            found = written.verify()
            assert found
            assert column == "number" or number in {finding.number for finding in found}
        finally:
            base.execute(f"UPDATE entries SET {column} = ? WHERE {column} = ?", (value, other))
    assert written.verify() == []
