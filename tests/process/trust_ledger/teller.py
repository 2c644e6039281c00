"""Stands in for dialogue and the dreamer: says which weights are in force, and tells an outcome of theirs."""

from nodes.trust_ledger.asking import LEDGER
from protocol.messages.dream import Adapter, AdapterCurrent
from protocol.messages.trust import Identities, IdentitiesRequest, Outcome
from runtime.node import Node, run

LAST = "last"


class Teller(Node):
    """Tells outcomes until the ledger knows the weights and the teller, then the last one."""

    async def start(self) -> None:
        self.publish(AdapterCurrent(adapters=[Adapter(level="sensory", digest="d1", base_version="base")]))
        self.spawn(self._tell())

    async def _tell(self) -> None:
        number = 0
        while not {"node", "adapter"} <= await self._known():
            await self.call(LEDGER, outcome(f"t{number}", version="base"), deadline=30)
            number += 1
        await self.call(LEDGER, outcome(LAST, version="tuned", adapter="d1"), deadline=30)

    async def _known(self) -> set[str]:
        found: Identities = await self.call(LEDGER, IdentitiesRequest(), deadline=30)
        return {lct.subject.kind for lct in found.identities}


def outcome(exchange: str, **other: str) -> Outcome:
    return Outcome(
        exchange=exchange, session="s", level="sensory", model="m", context="stable", score=1.0, source="a", **other
    )


if __name__ == "__main__":
    run(Teller)
