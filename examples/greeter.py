"""A node of your own: hears what people say, and greets whoever asks.  python examples/greeter.py"""

from protocol.messages.audio import Utterance
from protocol.messages.node import Ping, Pong
from runtime.node import Call, Event, Node, on, run, serve


class Greeter(Node):
    @on(Utterance)
    async def heard(self, event: Event[Utterance]) -> None:
        self.log.info("heard", words=len(event.body.text.split()), source=event.header.source)

    @serve(Ping)
    async def ping(self, request: Ping, call: Call) -> Pong:
        return Pong(payload=b"hello " + request.payload)


if __name__ == "__main__":
    run(Greeter)
