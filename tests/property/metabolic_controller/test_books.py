"""Random operations with crashes in between, and inside a write: the books balance, nothing is lost or booked twice.

A crash is a copy of the files as they lie on the disk at some moment, from which the controller starts again, as after
a kill: the process that wrote them is never heard of again. What had been answered before must be there; what had not
may be, as a whole or not at all.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nodes.metabolic_controller import bookkeeping, energy
from nodes.metabolic_controller.config import MetabolismConfig
from nodes.metabolic_controller.metabolism import Metabolism, Standing
from nodes.metabolic_controller.senses import Senses
from nodes.metabolic_controller.store import Store
from protocol.messages.metabolism import Metabolic, Reserve, Settle
from runtime import config as files
from runtime import paths

CONFIG = files.load(paths.shipped("configs/metabolism.yaml"), MetabolismConfig)
IDENTS = st.sampled_from([f"x{number}" for number in range(40)])
KINDS = st.sampled_from(bookkeeping.KINDS)
OPERATIONS_TOGETHER = 100

OPERATION = st.one_of(
    st.builds(Settle, ident=IDENTS, kind=KINDS, cpu_s=st.floats(0, 400)),
    st.builds(Settle, ident=IDENTS, kind=KINDS, joules=st.floats(0, 4000)),
    st.builds(Settle, ident=IDENTS, kind=st.just("dream"), cpu_s=st.floats(0, 40), out_of=IDENTS),
    st.builds(Reserve, ident=IDENTS, kind=KINDS, atp=st.floats(0, 60), ttl_s=st.floats(0, 900), least=st.booleans()),
    st.tuples(st.sampled_from(Metabolic), st.floats(0, 3000)),
    st.just("keep"),
)
STEP = st.tuples(OPERATION, st.integers(0, 30), st.booleans())
"""An operation, the statement of its write before which the controller is killed (past the last: none), and whether it
is killed after it."""
Step = tuple[object, int, bool]


class Killed(BaseException):
    """Nothing catches it: nothing runs any more."""


@dataclass
class Disk:
    """Where the store lies. A kill leaves a copy of what is there."""

    place: Path
    names: count[int] = field(default_factory=count)
    path: Path = Path()

    def __post_init__(self) -> None:
        self.path = self._new()

    def _new(self) -> Path:
        directory = self.place / str(next(self.names))
        directory.mkdir()
        return directory / "m.sqlite"

    def kill(self) -> None:
        new = self._new()
        for file in self.path.parent.glob("m.sqlite*"):
            if not file.name.endswith("-shm"):  # an index of the log, which the next process makes anew
                shutil.copyfile(file, new.parent / file.name)
        self.path = new


class Controller:
    """What a controller's process is, without the process."""

    def __init__(self, disk: Disk, now_s: float) -> None:
        self.disk = disk
        self.store = Store(disk.path)
        self.base = self.store._base
        self.statements: count[int] = count(-1, -1)
        self.store._base = Watched(self.base, self._look)  # type: ignore[assignment]
        self.now_s = now_s
        opened = self.store.account(self.wall_ns) or energy.open_account(CONFIG.energy, now_s)
        account = energy.resume(opened, now_s, CONFIG.energy)
        standing = Standing(state=Metabolic.WAKE, number=1, reason="test", since_s=now_s)
        self.whole = Metabolism(CONFIG, standing, account, Senses(stirred_s=now_s))

    @property
    def wall_ns(self) -> int:
        return round((1_700_000_000 + self.now_s) * 1e9)

    def do(self, operation: object) -> object:
        match operation:
            case Settle():
                return bookkeeping.settle(self.whole, self.store, operation, self.now_s, self.wall_ns)
            case Reserve():
                return bookkeeping.reserve(self.whole, self.store, operation, self.now_s, self.wall_ns)
            case "keep":
                return bookkeeping.keep(self.whole, self.store, self.wall_ns)
            case (Metabolic() as state, float() as seconds):
                self.now_s += seconds
                self.whole.standing = Standing(state=state, number=1, reason="test", since_s=self.now_s)
                return self.whole.advance(self.now_s)
        raise AssertionError(operation)

    def kill_before(self, statement: int) -> None:
        """Have the disk copied, and all end, once so many statements more have run."""
        self.statements = count(statement, -1)

    def end(self) -> None:
        self.base.close()

    def _look(self) -> None:
        if next(self.statements) == 0:
            self.disk.kill()
            raise Killed


class Watched:
    """A connection that is looked at before each statement."""

    def __init__(self, base: object, look) -> None:
        self._base, self._look = base, look

    def __getattr__(self, name: str):
        return getattr(self._base, name)

    def execute(self, sql: str, *values):
        self._look()
        return self._base.execute(sql, *values)

    def executemany(self, sql: str, rows):
        # Between the rows, too.
        for row in list(rows):
            self.execute(sql, row)

    def __enter__(self):
        return self._base.__enter__()

    def __exit__(self, kind, error, trace):
        try:
            if kind is None:
                self._look()
        except Killed:
            self._base.rollback()
            raise
        return self._base.__exit__(kind, error, trace)


def live(steps: list[Step], place: Path) -> None:
    """Do each operation, killed where it is said, and look at the books whenever the controller starts again."""
    controller = Controller(Disk(place), 0.0)
    charged: dict[str, float] = {}
    held: dict[str, tuple[int, float]] = {}
    for operation, kill_at, kill_after in steps:
        controller.kill_before(kill_at)
        killed = False
        try:
            reply = controller.do(operation)
        except Killed:
            killed, reply = True, None
        now_s = controller.now_s
        controller.kill_before(-1)
        if isinstance(operation, Settle) and reply is not None:
            assert charged.setdefault(operation.ident, reply.atp) == reply.atp, "charged twice"
            held.pop(operation.ident, None)
            if operation.out_of in held and not reply.repeated:
                draw(held, operation.out_of, energy.micro(reply.atp))
        if isinstance(operation, Reserve) and reply is not None and reply.granted and reply.atp:
            _, expires_s = held.get(operation.ident, (0, 0.0))
            held[operation.ident] = energy.micro(reply.atp), max(expires_s, now_s + min(operation.ttl_s, 900))
        if isinstance(operation, Settle | Reserve) and reply is None:
            # It may have been done without anybody having heard of it.
            held.pop(operation.ident, None)
            held.pop(getattr(operation, "out_of", ""), None)
        if killed or kill_after:
            if not killed:
                controller.disk.kill()
            controller.end()
            controller = Controller(controller.disk, now_s)
            look(controller, charged, held)
    controller.end()


def draw(held: dict[str, tuple[int, float]], ident: str, amount: int) -> None:
    micro, expires_s = held.pop(ident)
    if amount < micro:
        held[ident] = micro - amount, expires_s


def look(controller: Controller, charged: dict[str, float], held: dict[str, tuple[int, float]]) -> None:
    account, store = controller.whole.account, controller.store
    assert store.audit() == ""
    assert sum(account.balances.values()) == 0
    low, high = energy.micro(-CONFIG.energy.overdraft), energy.micro(CONFIG.energy.capacity)
    assert low <= account.left <= high
    for ident, atp in charged.items():
        assert store.settled(ident) == energy.micro(atp), "what was answered is gone"
    rows = store._base.execute("SELECT kind, ident, micro FROM settled").fetchall()
    for kind, ident, micro in rows:
        booked = store._base.execute(
            "SELECT COALESCE(SUM(micro), 0), COUNT(*) FROM postings WHERE ident = ? AND target = ?",
            (ident, f"spent/{kind}"),
        ).fetchone()
        assert booked == (micro, int(micro > 0)), "booked twice, or not at all"
        assert ident not in account.held
    named = sum(micro for kind, micro in account.spent.items() if kind != "base")
    assert named == sum(micro for _, _, micro in rows)
    for ident, (amount, expires_s) in held.items():
        if expires_s > controller.now_s + 0.001:  # the wall clock of a restart is read in nanoseconds
            assert account.held[ident].micro == amount, "what was held is gone"


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(STEP, min_size=20, max_size=20))
def test_the_books_balance_after_any_crash(steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        live(steps, Path(place))


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STEP, min_size=OPERATIONS_TOGETHER, max_size=OPERATIONS_TOGETHER))
def test_the_books_balance_after_ten_thousand_operations_with_crashes(steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        live(steps, Path(place))


DREAM_STEP = st.one_of(
    st.tuples(st.sampled_from(["dream", "exchange"]), st.integers(0, 2), st.floats(0, 40)),
    st.tuples(st.just("charge"), st.integers(0, 2), st.floats(0, 20)),
    st.tuples(st.sampled_from(["end", "dreamer dies"]), st.integers(0, 2), st.just(0.0)),
    st.tuples(st.just("time"), st.just(0), st.floats(0, 60)),
)
TTL_S = 60.0


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(st.tuples(DREAM_STEP, st.integers(0, 30)), min_size=20, max_size=20))
def test_what_a_dream_holds_is_spent_or_given_back_whoever_dies_when(steps: list[tuple[Any, int]]) -> None:
    """Dreams are held, charged out of what is held, and ended, or left by a dreamer that died; so are exchanges.

    The controller is killed anywhere; whoever had no answer asks again, as they do. A minute after all have fallen
    silent nothing is held any more, and what was spent is what was answered.
    """
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        controller = Controller(Disk(Path(place)), 0.0)
        spent: dict[str, int] = {"dream": 0, "exchange": 0}
        serial, living = count(), dict.fromkeys(range(3), "")

        def ask(operation: object, kill_at: int) -> Any:
            nonlocal controller
            controller.kill_before(kill_at)
            try:
                return controller.do(operation)
            except Killed:
                now_s = controller.now_s
                controller.end()
                controller = Controller(controller.disk, now_s)
                return controller.do(operation)
            finally:
                controller.kill_before(-1)

        for (what, which, amount), kill_at in steps:
            ident = living[which]
            match what:
                case "dream":
                    living[which] = ident = ident or f"dream/{next(serial)}"
                    ask(Reserve(ident=ident, kind="dream", atp=amount, ttl_s=TTL_S), kill_at)
                case "charge" if ident:
                    claim = Settle(ident=f"{ident}/{next(serial)}", kind="dream", cpu_s=amount, out_of=ident)
                    spent["dream"] += energy.micro(ask(claim, kill_at).atp)
                case "end" if ident:
                    spent["dream"] += energy.micro(ask(Settle(ident=ident, kind="dream"), kill_at).atp)
                    living[which] = ""
                case "dreamer dies":
                    living[which] = ""
                case "exchange":
                    exchange = f"exchange/{next(serial)}"
                    for atp in (amount / 2, amount):
                        ask(Reserve(ident=exchange, atp=atp, ttl_s=TTL_S), kill_at)
                    if which:
                        spent["exchange"] += energy.micro(ask(Settle(ident=exchange, cpu_s=amount), kill_at).atp)
                case "time":
                    ask((Metabolic.DREAM, amount), kill_at)
            look(controller, {}, {})
        ask((Metabolic.REST, TTL_S), -1)
        account = controller.whole.account
        assert (account.reserved, account.held) == (0, {})
        assert {kind: account.spent.get(kind, 0) for kind in spent} == spent
        controller.end()
