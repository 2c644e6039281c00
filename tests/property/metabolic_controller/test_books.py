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
    held: dict[str, tuple[float, float]] = {}
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
        if isinstance(operation, Reserve) and reply is not None and reply.granted and reply.atp:
            held.setdefault(operation.ident, (reply.atp, now_s + min(operation.ttl_s, 900)))
        if isinstance(operation, Settle) and reply is None:
            held.pop(operation.ident, None)  # It may have been settled without anybody having heard of it.
        if killed or kill_after:
            if not killed:
                controller.disk.kill()
            controller.end()
            controller = Controller(controller.disk, now_s)
            look(controller, charged, held)
    controller.end()


def look(controller: Controller, charged: dict[str, float], held: dict[str, tuple[float, float]]) -> None:
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
    for ident, (atp, expires_s) in held.items():
        if expires_s > controller.now_s + 0.001:  # the wall clock of a restart is read in nanoseconds
            assert account.held[ident].micro == energy.micro(atp), "what was held is gone"


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
