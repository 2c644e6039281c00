"""The store of examples: what is taken in, merged, given up and forgotten; never more than its capacity.

What people said is redacted before it is written, and sealed when it is (`shelf`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from nodes.dream_consolidator.collector import nearness
from nodes.dream_consolidator.collector.examples import (
    Example,
    digest,
    from_offer,
    lot,
    merged,
    revised_by,
    unfit,
)
from nodes.dream_consolidator.collector.forgetting import Meant, meant
from nodes.dream_consolidator.collector.nearness import Form
from nodes.dream_consolidator.collector.redaction import Redactor
from nodes.dream_consolidator.collector.reservoir import Place, Reservoir
from nodes.dream_consolidator.collector.shelf import Keys, Shelf
from nodes.dream_consolidator.settings import Collect
from protocol.messages.dream import ExampleRow, ForgetExamples, Keep, Kept, Revise, Revised
from runtime.sealing import Sealer

_GIVEN_UP = "its stratum is full, and the lot fell on it"


class _Twin(NamedTuple):
    ident: int
    example: Example
    exact: bool


class Collector:
    """Examples in `path`. One process writes; every answer it gives is on disk. `levels`: least capable first."""

    def __init__(self, path: Path, sealer: Sealer, settings: Collect, levels: Sequence[str] = ()) -> None:
        self._settings = settings
        self._rank = {level: place for place, level in enumerate(levels)}
        self._redactor = Redactor(settings.redact)
        self._counts = {"kept": 0, "refused": 0, "repeated": 0, "duplicates": 0, "evicted": 0, "revised": 0}
        self._counts |= {f"redacted_{name}": 0 for name in self._redactor.names} | {"forgotten": 0}
        self.forgettings = 0
        """How often something was forgotten: what was read before may hold it."""
        self._shelf = Shelf(path, sealer)
        self.secret = self._shelf.secret
        self._apply_rules()
        self._take_stock()
        self.latest_ns = self._shelf.latest_ns()
        """When the last one came: a wall time that never falls, whatever the clock does."""

    def offer(self, keep: Keep, received_ns: int) -> Kept:
        """Keep the exchange if it is worth it; say why or why not. The same exchange offered again changes nothing."""
        known = self._shelf.met(keep.exchange)
        if known is not None:
            held = known.example is not None
            return self._reply(keep, held, "already kept" if held else _GIVEN_UP, "repeated")
        why = unfit(keep)
        if why:
            return self._reply(keep, False, why, "refused")
        example = self._redacted(from_offer(keep, max(received_ns, self.latest_ns + 1)))
        form, keys = self._keys(example)
        twin = self._twin(example, form, keys)
        if twin is not None:
            with self._shelf.writing():
                self._shelf.note_met(example.exchange, twin.ident, example.session, example.received_ns)
                self._shelf.rewrite(twin.ident, merged(twin.example, example, self._rank))
            nearly = "" if twin.exact else "nearly "
            return self._reply(keep, False, f"{nearly}the same question was answered the same before", "duplicates")
        chosen, why = worth_keeping(keep, self._settings, lot(self.secret, "sample", keep.exchange))
        if not chosen:
            return self._reply(keep, False, why, "refused")
        # The lot is of what was said: what was given up once does not come back by being said again.
        if not self._reservoir.admits(example.stratum, drawn := lot(self.secret, "evict", keys.mark)):
            return self._reply(keep, False, _GIVEN_UP, "evicted")
        self.latest_ns = example.received_ns
        if self._take_in(example, keys, drawn):
            return self._reply(keep, True, why, "kept")
        return self._reply(keep, False, _GIVEN_UP, "evicted")

    def revise(self, revise: Revise) -> Revised:
        """Take in what was learned of a kept exchange later. One that is not kept, or knows it already, stays so."""
        met = self._shelf.met(revise.exchange)
        if met is None or met.example is None:
            return Revised(exchange=revise.exchange, revised=False, why="it is not kept")
        found = self._shelf.read(met.example)
        revised = revised_by(found, revise)
        if revised == found:
            return Revised(exchange=revise.exchange, revised=False, why="nothing changed")
        with self._shelf.writing():
            self._shelf.rewrite(met.example, revised)
        self._counts["revised"] += 1
        return Revised(exchange=revise.exchange, revised=True, why=f"salience {revised.salience:.2f}")

    def examples(self) -> list[Example]:
        """All of them, oldest first. Raises `SealError` where one was changed on disk."""
        return [example for _, example in self._shelf.read_all()]

    def rows(self, exchanges: Sequence[str] = (), *, words: bool = False) -> Iterator[ExampleRow]:
        """What is kept, the oldest first, of `exchanges` or of all. Only with `words` any seal is opened.

        Between two of them the store may change: one that is gone by then is left out.
        """
        wanted = {known.example for exchange in exchanges if (known := self._shelf.met(exchange)) is not None}
        for ident, exchange, level, stratum, salience, received_ns, met in self._shelf.rows():
            if exchanges and ident not in wanted:
                continue
            context, _, cluster = stratum.rpartition("/")
            row = ExampleRow(
                exchange=exchange,
                level=level,
                context=context,
                cluster=int(cluster),
                salience=salience,
                received_ns=received_ns,
                met=met,
            )
            if not words:
                yield row
            elif (found := self._shelf.met(exchange)) is not None and found.example == ident:
                yield _in_words(row, self._shelf.read(ident))

    def meant(self, wish: ForgetExamples) -> Meant:
        """What the wish means. Reads all examples. Raises `SealError` where one was changed on disk."""
        return meant(wish, dict(self._shelf.read_all()), self._shelf.all_met(), self._shelf.session_digest)

    def forget(self, wish: ForgetExamples) -> Meant:
        """Remove what the wish means: when this returns, no byte of it is left in the store's files.

        The exchanges are `pending` until what was made from them is dealt with, too.
        """
        found = self.meant(wish)
        with self._shelf.writing():
            self._shelf.remove(found.examples)
            self._shelf.forget(found.exchanges)
            if wish.everything:
                self._shelf.drop_floors()
        self.forgettings += 1
        self._shelf.wipe()
        self._take_stock()
        self._counts["forgotten"] += len(found.examples)
        return found

    def pending(self) -> list[str]:
        """Forgotten exchanges from which something may still be made."""
        return self._shelf.forgotten()

    def settled(self, exchanges: Sequence[str]) -> None:
        """Nothing is made from these any longer."""
        with self._shelf.writing():
            self._shelf.told(exchanges)

    @property
    def count(self) -> int:
        """How many are kept. Costs nothing: it is asked with every heartbeat."""
        return self._reservoir.held

    def received_since(self, moment_ns: int) -> int:
        """How many came after the moment, which was `latest_ns` once."""
        return self._shelf.received_since(moment_ns)

    def stats(self) -> dict[str, float]:
        return {"examples": self.count, "capacity": self._settings.capacity, **self._counts}

    def close(self) -> None:
        self._shelf.close()

    def _take_in(self, example: Example, keys: Keys, drawn: float) -> bool:
        """Write the example down, giving up what it leaves no place for; whether it was not itself that."""
        try:
            with self._shelf.writing():
                ident = self._shelf.add(example, keys, drawn)
                self._shelf.note_met(example.exchange, ident, example.session, example.received_ns)
                given_up = self._reservoir.add(Place(example.stratum, drawn, ident))
                self._give_up(given_up)
        except BaseException:
            self._take_stock()  # as it was: the rows did not change
            raise
        itself = any(place.ident == ident for place in given_up)
        self._counts["evicted"] += len(given_up) - itself
        return not itself

    def _give_up(self, places: Sequence[Place]) -> None:
        self._shelf.remove(place.ident for place in places)
        self._shelf.raise_floors(places)

    def _take_stock(self) -> None:
        """See what is held, and bring it down to capacity where that is less than it was."""
        self._reservoir = Reservoir(self._settings.capacity, self._shelf.places(), self._shelf.floors())
        if given_up := self._reservoir.overflow():
            with self._shelf.writing():
                self._give_up(given_up)
            self._counts["evicted"] += len(given_up)

    def _redacted(self, example: Example) -> Example:
        redacted, counts = self._redactor.redacted(example)
        for name, count in counts.items():
            self._counts[f"redacted_{name}"] += count
        return redacted

    def _keys(self, example: Example) -> tuple[Form, Keys]:
        form = self._form(example)
        mark = digest(self.secret, *("\n".join(part) for part in form.parts))
        return form, Keys(mark, nearness.bands(form, self.secret))

    def _form(self, example: Example) -> Form:
        return nearness.form(example.messages, example.answer, self._settings.unheard)

    def _twin(self, example: Example, form: Form, keys: Keys) -> _Twin | None:
        """The example that says the same, if there is one."""
        exact = self._shelf.marked(keys.mark)
        if exact is not None:
            return _Twin(exact, self._shelf.read(exact), exact=True)
        for ident in self._shelf.near(keys.bands):
            other = self._shelf.read(ident)
            if not _contradict(example, other) and nearness.alike(form, self._form(other), self._settings.near):
                return _Twin(ident, other, exact=False)
        return None

    def _apply_rules(self) -> None:
        """Redact and merge all that is kept by the rules of now, where they are not those it was kept by."""
        rules = digest(
            self.secret, *(repr(each) for each in (self._settings.redact, self._settings.near, self._settings.unheard))
        )
        if rules == self._shelf.rules():
            return
        with self._shelf.writing():
            self._shelf.unkey()
            for ident, found in self._shelf.read_all():
                self._take_over(ident, self._redacted(found))
            self._shelf.note_rules(rules)
        self._shelf.wipe()

    def _take_over(self, ident: int, example: Example) -> None:
        form, keys = self._keys(example)
        twin = self._twin(example, form, keys)
        if twin is None:
            self._shelf.rewrite(ident, example)
            self._shelf.rekey(ident, keys)
            return
        self._shelf.reassign(ident, twin.ident)
        self._shelf.remove([ident])
        self._shelf.rewrite(twin.ident, merged(twin.example, example, self._rank))

    def _reply(self, keep: Keep, kept: bool, why: str, counted: str) -> Kept:
        self._counts[counted] += 1
        return Kept(exchange=keep.exchange, kept=kept, why=why, examples=self.count)


def worth_keeping(keep: Keep, settings: Collect, draw: float) -> tuple[bool, str]:
    """Whether to keep an exchange, and why. `draw` is uniform in [0, 1)."""
    if keep.snarc.salience >= settings.salience:
        return True, f"salience {keep.snarc.salience:.2f}"
    if draw < settings.sample:
        return True, "drawn as a sample of what is not salient"
    return False, f"salience {keep.snarc.salience:.2f} is below {settings.salience:.2f}"


def _contradict(one: Example, other: Example) -> bool:
    """Whether the same judge said otherwise of the two: then they were not the same question."""
    return None not in (one.score, other.score) and one.verifier == other.verifier and one.score != other.score


def _in_words(row: ExampleRow, example: Example) -> ExampleRow:
    return msgspec.structs.replace(
        row,
        snarc=example.snarc,
        messages=list(example.messages),
        answer=example.answer,
        version=example.version,
        score=example.score,
        source=example.verifier,
        ids=list(example.ids),
    )
