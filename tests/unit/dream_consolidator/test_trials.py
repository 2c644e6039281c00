from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from nodes.dream_consolidator import settings as configuration
from nodes.dream_consolidator.adapters.registry import Adapters
from nodes.dream_consolidator.adapters.trials import Trials
from nodes.trust_ledger.table import answering, seed
from protocol.errors import BadRequest
from protocol.messages.dream import AdapterAdopted, AdapterDecided, RollBack
from protocol.messages.trust import TrustModel, TrustRecorded, TrustTable
from tests.unit.dream_consolidator.test_promotion import NOW, admit, edited, states

SETTINGS = configuration.load().canary
LATER = NOW + int(SETTINGS.longest * 1e9)


class World:
    """A champion `d1`, a challenger `d2`, and what is decided of them."""

    def __init__(self, directory: Path) -> None:
        self.state = directory / "state"
        self.state.mkdir(mode=0o700)
        self.adapters = Adapters.load(self.state)
        self.champion = admit(self.adapters, directory, "d1")
        self.challenger = admit(self.adapters, directory, "d2", share=0.3)
        self.trials = Trials(self.adapters, SETTINGS)
        self.told = 0

    def outcome(self, adapter: str, score: float) -> list[AdapterDecided]:
        self.told += 1
        recorded = TrustRecorded(
            exchange=f"x{self.told}",
            level="sensory",
            entry=self.told,
            version="v",
            adapter=adapter,
            score=score,
            source="user",
        )
        return self.trials.heard(recorded, NOW)

    def live(self, *, new: float, old: float) -> list[AdapterDecided]:
        for _ in range(100):
            for adapter, score in ((self.challenger.digest, new), (self.champion.digest, old)):
                if decided := self.outcome(adapter, score):
                    return decided
        return []


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def alarm(*digests: str) -> TrustTable:
    models = [
        TrustModel(level="sensory", version=digest or "own", weights={}, alarm="it dropped", adapter=digest)
        for digest in digests
    ]
    return TrustTable(entries=1, rows=[], models=models)


def test_a_challenger_that_does_better_takes_the_champions_place(world: World) -> None:
    (decided,) = world.live(new=1.0, old=0.0)
    assert (decided.state, decided.digest) == ("champion", world.challenger.digest)
    assert world.adapters.current("sensory") == world.challenger
    assert world.trials.standing("sensory") is None


def test_one_that_does_worse_is_withdrawn_and_the_champion_stays(world: World) -> None:
    (decided,) = world.live(new=0.0, old=1.0)
    assert (decided.state, decided.digest, decided.instead) == (
        "withdrawn",
        world.challenger.digest,
        world.champion.digest,
    )
    assert "answers worse than what it would replace" in decided.why
    assert states(world.adapters) == {"d1": "champion", "d2": "withdrawn"}


def test_a_trial_goes_on_after_a_restart_from_where_it_was(world: World) -> None:
    world.outcome(world.challenger.digest, 1.0)
    world.outcome(world.champion.digest, 0.0)
    again = Trials(Adapters.load(world.state), SETTINGS)
    assert again.look(NOW) == []
    found = again.standing("sensory")
    assert found is not None
    assert found == world.trials.standing("sensory")
    assert (found.judged, found.champion_judged) == (1, 1)
    assert found.good > 1 > found.harm


def test_what_cannot_be_read_of_a_trial_lets_it_begin_anew(world: World) -> None:
    world.outcome(world.challenger.digest, 1.0)
    (world.adapters.root / "trials.json").write_text("{")
    again = Trials(Adapters.load(world.state), SETTINGS)
    again.look(NOW)
    found = again.standing("sensory")
    assert found is not None
    assert found.judged == 0


def test_time_ends_a_trial_in_which_nobody_judged_anything(world: World) -> None:
    assert world.trials.look(LATER - 1) == []
    (decided,) = world.trials.look(LATER)
    assert (decided.state, decided.digest) == ("champion", world.challenger.digest)
    assert "its time is up" in decided.why


def test_another_challenger_begins_its_trial_anew(world: World, tmp_path: Path) -> None:
    world.outcome(world.challenger.digest, 1.0)
    admit(world.adapters, tmp_path, "d3", share=0.3)
    world.trials.look(NOW)
    found = world.trials.standing("sensory")
    assert found is not None
    assert found.judged == 0


@pytest.mark.parametrize(("rule", "after"), [("promote", "champion"), ("withdraw", "withdrawn")])
def test_where_there_is_no_room_to_try_it_the_configuration_decides(world: World, rule: str, after: str) -> None:
    trials = Trials(world.adapters, msgspec.structs.replace(SETTINGS, no_room=rule))
    refused = AdapterAdopted(
        level="sensory", digest=world.challenger.digest, challenger=True, refused="too large", no_room=True
    )
    (decided,) = trials.adopted(refused, NOW)
    assert (decided.state, "too large" in decided.why) == (after, True)


def test_weights_that_no_worker_takes_up_are_withdrawn(world: World) -> None:
    digest = world.challenger.digest
    for harmless in (
        AdapterAdopted(level="sensory", digest=digest, challenger=True),
        AdapterAdopted(level="sensory", digest="another", challenger=True, refused="damaged"),
        AdapterAdopted(level="tactical", digest=digest, challenger=True, refused="damaged"),
    ):
        assert world.trials.adopted(harmless, NOW) == []
    damaged = AdapterAdopted(level="sensory", digest=digest, challenger=True, refused="damaged")
    (decided,) = world.trials.adopted(damaged, NOW)
    assert decided.state == "withdrawn"


def test_a_champion_in_alarm_is_taken_back_to_what_was_before_and_that_to_the_own_model(
    world: World, tmp_path: Path
) -> None:
    third = admit(world.adapters, tmp_path, "d3")
    assert world.trials.alarmed(alarm("", "another"), NOW) == []
    withdrawn, promoted = world.trials.alarmed(alarm(third.digest), NOW)
    assert (withdrawn.digest, withdrawn.instead, withdrawn.why) == (third.digest, world.champion.digest, "it dropped")
    assert (promoted.state, promoted.digest) == ("champion", world.champion.digest)
    assert world.trials.alarmed(alarm(third.digest), NOW) == [], "said again, it says nothing new"
    (withdrawn,) = world.trials.alarmed(alarm(world.champion.digest), NOW)
    assert withdrawn.instead == ""
    assert world.adapters.current("sensory").digest == ""


def test_a_challenger_in_alarm_is_withdrawn(world: World) -> None:
    (withdrawn,) = world.trials.alarmed(alarm(world.challenger.digest), NOW)
    assert withdrawn.digest == world.challenger.digest
    assert world.adapters.current("sensory") == world.champion


def test_by_hand_a_trial_is_ended_before_a_champion_is_taken_back(world: World) -> None:
    done, _ = world.trials.roll_back(RollBack(level="sensory"), NOW)
    assert (done.withdrawn, done.digest) == (world.challenger.digest, world.champion.digest)
    done, _ = world.trials.roll_back(RollBack(level="sensory", to="base"), NOW)
    assert (done.withdrawn, done.digest) == (world.champion.digest, "")
    with pytest.raises(BadRequest, match="own model already"):
        world.trials.roll_back(RollBack(level="sensory"), NOW)


def test_a_challenger_whose_record_was_changed_meanwhile_is_withdrawn_instead(world: World) -> None:
    edited(world.adapters, "d2", lambda signed: signed["record"].update(examples=99))
    (decided,) = world.trials.look(LATER)
    assert (decided.state, "not as this host signed it" in decided.why) == ("withdrawn", True)


def test_after_a_rollback_what_the_ledger_knew_of_the_earlier_weights_is_believed_again(world: World) -> None:
    """Nothing is told to it: both versions keep an arm of their own, found by the digest of their weights."""
    known = TrustTable(
        entries=2,
        rows=[],
        models=[
            TrustModel(level="sensory", version="v1", weights={}, adapter=world.champion.digest),
            TrustModel(level="sensory", version="v2", weights={}, adapter=world.challenger.digest),
        ],
    )
    world.live(new=1.0, old=0.0)
    assert answering(known, "sensory", seed("sensory", world.adapters.current("sensory").digest).version) == "v2"
    world.trials.roll_back(RollBack(level="sensory"), NOW)
    assert answering(known, "sensory", seed("sensory", world.adapters.current("sensory").digest).version) == "v1"
