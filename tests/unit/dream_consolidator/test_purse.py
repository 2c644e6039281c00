"""A dream and the energy account: held before, settled while it lasts, given back after; refused, it does not begin."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
import structlog

from nodes.dream_consolidator import settings as configuration
from nodes.dream_consolidator.charges import Charges
from nodes.dream_consolidator.purse import MOST_OWING, Purse, Stretch
from nodes.metabolic_controller import energy, reservations
from nodes.metabolic_controller.config import MetabolismConfig
from nodes.model_worker.effort import Gauge
from protocol.errors import BadRequest, DeadlineExceeded
from protocol.messages.metabolism import Metabolic, Reserve, Reserved, Settle, Settled
from runtime import config as files
from runtime import paths
from runtime.clock import VirtualClock
from runtime.power import Meter
from tests.unit.model_worker.test_effort import Counter

CONFIG = files.load(paths.shipped("configs/metabolism.yaml"), MetabolismConfig).energy
SETTINGS = msgspec.structs.replace(configuration.load().dream, expected=40.0, held=0.6)


class Controller:
    """A real account, without a process."""

    def __init__(self, atp: float) -> None:
        self.account = energy.holding(atp)
        self.asked: list[Reserve | Settle] = []
        self.booked: dict[str, int] = {}
        self.gone = False
        self.refuses = ""

    async def __call__(self, request: Reserve | Settle) -> Reserved | Settled:
        if self.gone:
            raise DeadlineExceeded("no answer in time")
        if request.ident == self.refuses:
            raise BadRequest("no amount")
        self.asked.append(request)
        await asyncio.sleep(0)
        if isinstance(request, Reserve):
            said = reservations.reserve(
                self.account, request, self.booked.get(request.ident), Metabolic.DREAM, CONFIG, 0.0
            )
            self.account = said.account
            held = said.held / energy.MICRO
            return Reserved(
                ident=request.ident, granted=said.granted, atp=held, remaining=self.account.atp, reason=said.reason
            )
        settled = energy.settle(self.account, request, self.booked.get(request.ident), CONFIG)
        self.account, self.booked[request.ident] = settled.account, settled.charged
        return Settled(ident=request.ident, atp=settled.charged / energy.MICRO, remaining=self.account.atp)

    @property
    def held(self) -> float:
        return self.account.reserved / energy.MICRO


def stretch(leg: str = "d/1") -> Stretch:
    return Stretch(leg=leg, dream=leg.partition("/")[0], level="sensory", device="cpu")


def purse(controller: Controller, directory: Path, meter: Meter | None = None) -> Purse:
    gauge = Gauge(VirtualClock(), lambda _device: meter)
    return Purse(controller, Charges(directory / "charges.json"), SETTINGS, gauge, structlog.get_logger())


async def test_a_stretch_is_held_settled_as_it_goes_and_the_rest_given_back(tmp_path: Path) -> None:
    controller = Controller(100)
    mine = purse(controller, tmp_path)
    assert await mine.afford(stretch()) == ""
    assert controller.held == 40.0
    assert await mine.charge(20.0) == ""
    assert (controller.held, controller.account.atp) == (30.0, 90.0)
    await mine.close(30.0, ended=True)
    assert (controller.held, controller.account.atp) == (0.0, 85.0)
    assert controller.account.spent == {"dream": 15 * energy.MICRO}
    assert Charges(tmp_path / "charges.json").expected("e", "sensory", 40.0) == 15.0
    await mine.close(30.0, ended=True)
    assert controller.account.atp == 85.0, "it is closed once"


async def test_what_the_account_does_not_bear_does_not_begin_until_it_does(tmp_path: Path) -> None:
    controller = Controller(30)
    mine = purse(controller, tmp_path)
    refused = await mine.afford(stretch())
    assert refused == "there is no energy for it: 40.00 ATP were asked for, 30.00 may be had"
    assert mine.lacking == "no energy for it: 40.00 ATP are needed"
    assert await mine.charge(1.0) == ""
    assert [type(one) for one in controller.asked] == [Reserve], "nothing ran: nothing is owed"
    assert not mine.heard(energy.statement(energy.holding(39), CONFIG))
    assert mine.heard(energy.statement(energy.holding(40), CONFIG))
    assert not mine.heard(energy.statement(energy.holding(40), CONFIG)), "that is news once"
    assert mine.lacking == ""


async def test_what_costs_more_than_expected_goes_on_while_the_account_bears_it(tmp_path: Path) -> None:
    controller = Controller(55)
    mine = purse(controller, tmp_path)
    await mine.afford(stretch())
    assert await mine.charge(80.0) == ""
    assert (controller.held, controller.account.atp) == (10.0, 15.0), "a quarter of it again"
    refused = await mine.charge(101.0)
    assert refused == "there is no energy for it: 10.00 ATP were asked for, 4.50 may be had"
    await mine.close(103.0, ended=False)
    assert (controller.held, controller.account.atp) == (0.0, 3.5)
    assert mine.lacking


async def test_of_a_dream_dearer_than_a_full_account_only_a_part_is_held(tmp_path: Path) -> None:
    controller = Controller(100)
    Charges(tmp_path / "charges.json").add("before", "sensory", 900.0, ended=True)
    mine = purse(controller, tmp_path)
    mine.heard(energy.statement(controller.account, CONFIG))
    assert await mine.afford(stretch()) == ""
    assert controller.held == 60.0


async def test_joules_are_settled_where_a_sensor_counts_them(tmp_path: Path) -> None:
    controller, meter = Controller(100), Counter()
    mine = purse(controller, tmp_path, meter)
    await mine.afford(stretch())
    await mine.charge(20.0)
    meter.broken = True
    await mine.charge(24.0)
    meter.broken = False
    await mine.close(25.0, ended=True)
    claims = [one for one in controller.asked if isinstance(one, Settle) and one.out_of]
    assert [(one.cpu_s, one.joules, one.source) for one in claims] == [
        (20.0, 3.0, "rapl"),
        (4.0, 0.0, ""),
        (1.0, 0.0, ""),
    ]
    assert controller.account.spent["dream"] == energy.micro(3.0 * CONFIG.atp_per_joule + 5.0 * CONFIG.atp_per_cpu_s)
    assert meter.closed


async def test_without_a_controller_it_dreams_and_what_it_owes_is_claimed_later(tmp_path: Path) -> None:
    controller = Controller(100)
    controller.gone = True
    mine = purse(controller, tmp_path)
    assert await mine.afford(stretch("a/1")) == ""
    assert await mine.charge(4.0) == ""
    await mine.close(6.0, ended=True)
    controller.gone = False
    await mine.afford(stretch("b/1"))
    await mine.charge(2.0)
    assert controller.account.spent == {"dream": 4 * energy.MICRO}
    assert list(controller.booked.items())[:3] == [("a/1/1", 2_000_000), ("a/1/2", 1_000_000), ("a/1", 0)]


async def test_a_claim_that_is_refused_for_good_keeps_no_other_from_being_booked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    controller = Controller(100)
    controller.refuses = "a/1/1"
    mine = purse(controller, tmp_path)
    await mine.afford(stretch("a/1"))
    await mine.close(6.0, ended=True)
    assert "dream.refused" in capsys.readouterr().out
    assert (controller.booked, controller.held, mine.stats()) == ({"a/1": 0}, 0.0, {"owing": 0, "lacking": 0.0})


async def test_a_charge_and_the_end_at_the_same_time_claim_nothing_twice(tmp_path: Path) -> None:
    controller = Controller(100)
    mine = purse(controller, tmp_path)
    await mine.afford(stretch("d/1"))
    await asyncio.gather(mine.charge(4.0), mine.close(6.0, ended=False), mine.afford(stretch("d/2")))
    idents = [one.ident for one in controller.asked if isinstance(one, Settle)]
    assert idents == ["d/1/1", "d/1/2", "d/1"]
    assert (controller.held, controller.account.atp) == (37.0, 97.0)


async def test_what_nobody_books_is_given_up_past_a_bound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    controller = Controller(100)
    controller.gone = True
    mine = purse(controller, tmp_path)
    for number in range(MOST_OWING + 1):
        await mine.afford(stretch(f"d/{number}"))
        await mine.close(1.0, ended=False)
    assert "dream.unpaid" in capsys.readouterr().out
