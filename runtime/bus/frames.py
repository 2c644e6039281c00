"""The frames of the call plane.

Node to hub: `[kind, target, call id, payload]`. Hub to node: `[kind, call id, payload]`.

| kind | from | payload |
|---|---|---|
| REQUEST | caller, handed on to the callee | envelope with the request, its deadline and trace |
| PART | callee, handed on to the caller | body of a part |
| REPLY | callee, handed on to the caller | body of the reply; ends the call |
| ERROR | callee or hub, to the caller | `ErrorBody`; ends the call |
| CREDIT | caller, handed on to the callee | how many more parts may be sent |
| CANCEL | caller or hub, to the callee | nothing; nobody waits for the answer any more |
| RETAIN | node to hub: keep this; hub to node: take this up | envelope of a retained value; the target is its topic |
"""

from __future__ import annotations

REQUEST = b"Q"
PART = b"P"
REPLY = b"R"
ERROR = b"E"
CREDIT = b"C"
CANCEL = b"X"
RETAIN = b"V"

HUB = "hub"
"""The name under which the hub itself is called."""

INITIAL_CREDIT = 32
"""Parts a callee may send before it hears from the caller."""
