import re

from protocol.messages.node import Ping
from tests.fabric import PATIENCE_S, ROOT

GREETER = ROOT / "examples" / "greeter.py"


async def test_a_node_of_ones_own_takes_at_most_twenty_lines_and_joins(system):
    assert len(GREETER.read_text().splitlines()) <= 20
    await system.node(str(GREETER), "greeter")
    assert (await system.client.call("greeter", Ping(payload=b"you"), deadline=PATIENCE_S)).payload == b"hello you"


def test_the_readme_shows_the_example_as_it_is():
    shown = re.search(r"```python\n(from protocol\.messages\.audio.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert shown is not None
    assert GREETER.read_text().endswith(shown[1])
