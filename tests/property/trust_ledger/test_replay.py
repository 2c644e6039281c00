import tempfile
from contextlib import closing
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.trust_ledger.batch import Adopt, Learned
from nodes.trust_ledger.ledger import Telling
from protocol.messages.trust import Judge, Revoke
from tests.unit.trust_ledger.told import open_ledger, outcome

SHARE = st.sampled_from([0.0, 0.3, 0.5, 1.0])
OUTCOMES = st.builds(
    outcome,
    st.integers(0, 6),
    level=st.sampled_from(["sensory", "tactical"]),
    version=st.sampled_from(["v1", "v2"]),
    adapter=st.sampled_from(["", "d1"]),
    context=st.sampled_from(["stable", "novel"]),
    source=st.sampled_from(["arithmetic", "cascade", "confidence", "user"]),
    score=SHARE,
    confidence=SHARE,
    stake=SHARE,
    atp=SHARE,
    cluster=st.integers(-1, 1),
    breach=st.sampled_from(["", "spoke on"]),
)
ITEMS = st.one_of(
    OUTCOMES,
    st.builds(Judge, exchange=st.sampled_from(["x1", "x2"]), score=SHARE, source=st.just("user")),
    st.builds(Learned, st.sampled_from(["d1", "d2"]), st.sampled_from(["v1", ""])),
    st.builds(Adopt, st.sampled_from(["{}", '{"reputation": {"graded": 0.5}}'])),
    st.builds(Revoke, subject=st.just("lct:user:nobody:00")),
)
TELLINGS = st.lists(st.builds(Telling, ITEMS, st.sampled_from(["", "dialogue"])), max_size=6)
BATCHES = st.lists(st.tuples(TELLINGS, st.integers(0, 10**14)), max_size=6)


@settings(max_examples=15, deadline=None)
@given(BATCHES)
def test_whatever_is_told_in_whatever_batches_is_proved_by_its_entries(batches):
    with tempfile.TemporaryDirectory() as place:
        home, wall_ns = Path(place), 0
        with closing(open_ledger(home)) as ledger:
            for tellings, passed in batches:
                wall_ns += passed
                ledger.append(tellings, wall_ns)
            assert ledger.verify() == []
            kept = (ledger.standings(), ledger.identities(), list(ledger.entries()))
            lines = list(ledger.export(wall_ns))
        with closing(open_ledger(home)) as again:
            assert (again.standings(), again.identities(), list(again.entries())) == kept
        for file in home.glob("trust.*"):
            file.unlink()
        with closing(open_ledger(home)) as restored:
            restored.take_in(lines, wall_ns)
            assert (restored.standings(), restored.identities(), list(restored.entries())) == kept
            assert restored.verify() == []
