from typing import Literal

import pytest

from nodes.model_worker.residency import Residency, residency
from protocol.messages.metabolism import Metabolic, MetabolicState, Policy

UNLOADING = {Metabolic.REST: Policy(keep_models=False), Metabolic.DREAM: Policy(keep_models=False, dream=True)}
HELD, ON_DEMAND, UNLOADED = Residency.HELD, Residency.ON_DEMAND, Residency.UNLOADED


@pytest.mark.parametrize(
    ("state", "dream", "expected"),
    [
        (Metabolic.WAKE, "unload", ON_DEMAND),
        (Metabolic.FOCUS, "unload", HELD),
        (Metabolic.CRISIS, "unload", HELD),
        (Metabolic.REST, "unload", UNLOADED),
        (Metabolic.REST, "hold", UNLOADED),
        (Metabolic.DREAM, "unload", UNLOADED),
        (Metabolic.DREAM, "hold", ON_DEMAND),
    ],
)
def test_each_state_has_its_residency(state: Metabolic, dream: Literal["unload", "hold"], expected: Residency) -> None:
    told = MetabolicState(state=state, number=1, reason="", since_ns=0, policy=UNLOADING.get(state, Policy()))
    assert residency(told, dream) == expected
