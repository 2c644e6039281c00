"""The trials there are: what is heard of challengers and champions, and what follows for the registry.

    adapters/trials.json   how far each trial got; nothing that anybody said

The registry rules. A trial that this file does not know begins anew, one that the registry does not know is over.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from nodes.dream_consolidator.adapters import canary
from nodes.dream_consolidator.adapters.canary import Trial
from nodes.dream_consolidator.adapters.registry import Adapters
from nodes.dream_consolidator.settings import Canary
from protocol.errors import BadRequest, SageError
from protocol.messages.dream import AdapterAdopted, AdapterDecided, RollBack, RolledBack, Standing
from protocol.messages.trust import TrustRecorded, TrustTable
from runtime.paths import write_atomically


class Trials:
    """Decides on challengers as outcomes come, and takes back champions that drop. Every method takes the wall time."""

    def __init__(self, adapters: Adapters, settings: Canary) -> None:
        self._adapters = adapters
        self._settings = settings
        self._path = adapters.root / "trials.json"
        self._trials = _read(self._path)

    def standing(self, level: str) -> Standing | None:
        trial = self._trials.get(level)
        return canary.standing(trial) if trial else None

    def heard(self, recorded: TrustRecorded, now_ns: int) -> list[AdapterDecided]:
        """Take in an outcome; what follows from it."""
        trial = self._under_way(recorded.level, now_ns)
        if trial is None:
            return []
        after = canary.heard(trial, recorded, self._settings)
        if after == trial:
            return []
        self._trials[recorded.level] = after
        self._write()
        return self._follow(after, now_ns)

    def look(self, now_ns: int) -> list[AdapterDecided]:
        """What follows from the time alone."""
        levels = {each.adapter.level for each in self._adapters.versions if each.state == "challenger"}
        trials = [self._under_way(level, now_ns) for level in sorted(levels)]
        return [each for trial in trials if trial for each in self._follow(trial, now_ns)]

    def adopted(self, adopted: AdapterAdopted, now_ns: int) -> list[AdapterDecided]:
        """A worker cannot hold the challenger: without a trial, the configuration decides. Other refusals are final."""
        challenger = self._adapters.challenger(adopted.level)
        if not (adopted.challenger and adopted.refused) or challenger is None:
            return []
        if challenger.adapter.digest != adopted.digest:
            return []
        if adopted.no_room and self._settings.no_room == "promote":
            why = f"there is no memory to try it beside the other, `canary.no_room` says promote: {adopted.refused}"
            return self._promote(adopted.level, why, now_ns)
        return self._withdraw(adopted.level, f"no worker takes it up: {adopted.refused}", now_ns)

    def alarmed(self, table: TrustTable, now_ns: int) -> list[AdapterDecided]:
        """Take back what the ledger says answers worse than it did. A level's own model is all there is to fall to."""
        decided = []
        for model in table.models:
            if not (model.alarm and model.adapter):
                continue
            champion, challenger = self._adapters.champion(model.level), self._adapters.challenger(model.level)
            if challenger is not None and challenger.adapter.digest == model.adapter:
                decided += self._withdraw(model.level, model.alarm, now_ns)
            elif champion is not None and champion.adapter.digest == model.adapter:
                decided += self._roll_back(model.level, model.alarm, now_ns)
        return decided

    def roll_back(self, wish: RollBack, now_ns: int) -> tuple[RolledBack, list[AdapterDecided]]:
        """What an operator asks for. BadRequest where there is nothing to go back from or to."""
        challenger = self._adapters.challenger(wish.level)
        if challenger is not None and not wish.to:
            decided = self._withdraw(wish.level, wish.reason, now_ns)
        else:
            decided = self._roll_back(wish.level, wish.reason, now_ns, wish.to)
        current = self._adapters.current(wish.level).digest
        return RolledBack(level=wish.level, withdrawn=decided[0].digest, digest=current), decided

    def _follow(self, trial: Trial, now_ns: int) -> list[AdapterDecided]:
        step, why = canary.decided(trial, now_ns, self._settings)
        if step == "promote":
            return self._promote(trial.level, why, now_ns)
        return self._withdraw(trial.level, why, now_ns) if step == "withdraw" else []

    def _promote(self, level: str, why: str, now_ns: int) -> list[AdapterDecided]:
        try:
            promoted = self._adapters.promote(level, why, now_ns).adapter
        except BadRequest:
            return []
        except SageError as error:  # its record was changed meanwhile: it is in nobody's name any more
            return self._withdraw(level, str(error), now_ns)
        self._over(level)
        return [AdapterDecided(level=level, digest=promoted.digest, state="champion", why=why)]

    def _withdraw(self, level: str, why: str, now_ns: int) -> list[AdapterDecided]:
        withdrawn = self._adapters.withdraw(level, why, now_ns).adapter
        self._over(level)
        return [self._withdrawn(level, withdrawn.digest, why)]

    def _roll_back(self, level: str, why: str, now_ns: int, to: str = "") -> list[AdapterDecided]:
        before = self._adapters.current(level)
        current = self._adapters.roll_back(level, why, now_ns, to)
        self._over(level)
        decided = [self._withdrawn(level, before.digest, why)]
        if current.digest:
            decided.append(AdapterDecided(level=level, digest=current.digest, state="champion", why=why))
        return decided

    def _withdrawn(self, level: str, digest: str, why: str) -> AdapterDecided:
        instead = self._adapters.current(level).digest
        return AdapterDecided(level=level, digest=digest, state="withdrawn", why=why, instead=instead)

    def _under_way(self, level: str, now_ns: int) -> Trial | None:
        challenger = self._adapters.challenger(level)
        if challenger is None:
            return None
        digest, champion = challenger.adapter.digest, self._adapters.current(level).digest
        known = self._trials.get(level)
        if known is None or (known.digest, known.champion) != (digest, champion):
            since_ns = challenger.since_ns or now_ns
            known = self._trials[level] = Trial(level=level, digest=digest, champion=champion, since_ns=since_ns)
        return known

    def _over(self, level: str) -> None:
        if self._trials.pop(level, None) is not None:
            self._write()

    def _write(self) -> None:
        write_atomically(self._path, msgspec.json.encode(self._trials))


def _read(path: Path) -> dict[str, Trial]:
    """The trials as they stood. What cannot be read is only evidence: the trials begin anew."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Trial])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}
