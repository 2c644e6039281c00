"""The books balance, exactly, whatever is booked and in whatever order."""

from hypothesis import given
from hypothesis import strategies as st

from nodes.metabolic_controller import energy
from nodes.metabolic_controller.config import MetabolismConfig
from protocol.messages.metabolism import Metabolic, Settle
from runtime import config as files
from runtime import paths

CONFIG = files.load(paths.shipped("configs/metabolism.yaml"), MetabolismConfig).energy

ELAPSE = st.tuples(st.sampled_from(Metabolic), st.floats(0, 1e5))
CLAIM = st.builds(
    Settle,
    ident=st.sampled_from("abcdefgh"),
    kind=st.sampled_from(["exchange", "dream"]),
    cpu_s=st.floats(0, 1e4),
    joules=st.floats(0, 1e4),
)


@given(st.lists(ELAPSE | CLAIM, max_size=60))
def test_every_atp_spent_is_traced_and_nothing_is_charged_twice(operations: list[object]) -> None:
    account = energy.open_account(CONFIG, 0.0)
    settled: dict[str, int] = {}
    now = 0.0
    for operation in operations:
        if isinstance(operation, Settle):
            result = energy.settle(account, operation, settled.get(operation.ident), CONFIG)
            assert result.repeated == (operation.ident in settled)
            settled.setdefault(operation.ident, result.charged)
            account = result.account
        else:
            state, seconds = operation
            now += seconds
            account = energy.elapse(account, state, now, CONFIG)
        low, high = energy.micro(-CONFIG.overdraft), energy.micro(CONFIG.capacity)
        assert low <= account.budget <= high
        named = account.spent.get("exchange", 0) + account.spent.get("dream", 0)
        assert named == sum(settled.values())
        assert set(account.spent) <= {"exchange", "dream", "base"}
        assert min(account.income, account.reserve, *account.spent.values(), 0) == 0, "nothing is booked backwards"


@given(st.sampled_from(Metabolic), st.floats(1, 3600), st.floats(0.1, 0.9))
def test_time_booked_in_two_parts_is_time_booked_at_once(state: Metabolic, seconds: float, share: float) -> None:
    start = energy.holding(50)
    whole = energy.elapse(start, state, seconds, CONFIG)
    half = energy.elapse(start, state, seconds * share, CONFIG)
    assert abs(energy.elapse(half, state, seconds, CONFIG).budget - whole.budget) <= 4
