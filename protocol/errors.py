"""Every error that sage raises on purpose, and how errors travel between processes.

SageError
├── ConfigError            a file or a parameter says something that cannot be meant
│   └── ParameterError     a node was started with parameters it does not take
├── MessageError           a message that is refused; the process that met it goes on
│   ├── Malformed          not msgpack, not the fields its type needs, or the wrong number of frames
│   ├── Oversized          larger than may travel inline; send it by reference
│   ├── UnknownVersion     older than anything this program can read
│   ├── FutureVersion      written by a newer program
│   └── UnknownMessage     a topic or service that is not declared here
├── CallError              a call that did not bring an answer
│   ├── DeadlineExceeded   the answer did not come in time
│   ├── Cancelled          the caller gave it up
│   ├── UnknownNode        nobody of that name is here
│   ├── UnknownService     the node is here and does not do that
│   ├── CalleeLost         the node died, or stopped beating, while the call was under way
│   ├── HubLost            the hub went away while the call was under way
│   ├── Overloaded         the node's queue is full
│   ├── BadRequest         the request's values are refused
│   └── HandlerFailed      the handler raised; the remote trace is in `detail["trace"]`
├── AlreadyRunning         another process holds the run directory
├── NameTaken              another live process is registered under that node name
├── NotPermitted           a file or directory that others could read or write
├── SealError              sealed data that does not open, or a signature that does not hold
└── BulkError
    ├── BulkMissing        no file of that digest
    └── BulkCorrupt        a file whose content is not what its digest says
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """An error as it travels. Fields mirror `SageError`."""

    code: str
    message: str
    place: str = ""
    remedy: str = ""
    detail: dict[str, Any] = {}


class SageError(Exception):
    """What was expected, what came, where (`place`), and what to do (`remedy`).

    `code` names the class on the wire, so that the caller in another process catches the same class.
    """

    code: ClassVar[str] = "sage"
    _by_code: ClassVar[dict[str, type[SageError]]] = {}

    def __init__(
        self, message: str, *, place: str = "", remedy: str = "", detail: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.remedy = remedy
        self.detail: dict[str, Any] = detail or {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "code" not in cls.__dict__:
            raise TypeError(f"{cls.__qualname__} needs a `code` of its own: errors travel by it")
        other = SageError._by_code.setdefault(cls.code, cls)
        if other is not cls and other.__qualname__ != cls.__qualname__:
            raise TypeError(f"{cls.__qualname__} and {other.__qualname__} share the code {cls.code!r}")

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        remedy = f" ({self.remedy})" if self.remedy else ""
        return f"{where}{self.message}{remedy}"

    def to_body(self) -> ErrorBody:
        return ErrorBody(code=self.code, message=self.message, place=self.place, remedy=self.remedy, detail=self.detail)


class RemoteError(SageError):
    """An error of another process whose class this process does not know; `remote_code` names it."""

    code = "remote"

    def __init__(self, body: ErrorBody) -> None:
        super().__init__(body.message, place=body.place, remedy=body.remedy, detail=body.detail)
        self.remote_code = body.code

    def to_body(self) -> ErrorBody:
        return ErrorBody(
            code=self.remote_code, message=self.message, place=self.place, remedy=self.remedy, detail=self.detail
        )


def from_body(body: ErrorBody) -> SageError:
    """The error that `body` describes, as the same class where this process knows it."""
    cls = SageError._by_code.get(body.code)
    if cls is None or cls.__init__ is not SageError.__init__:
        return RemoteError(body)
    return cls(body.message, place=body.place, remedy=body.remedy, detail=dict(body.detail))


class ConfigError(SageError):
    code = "config"


class ParameterError(ConfigError):
    code = "config.parameter"


class MessageError(SageError):
    code = "message"


class Malformed(MessageError):
    code = "message.malformed"


class Oversized(MessageError):
    code = "message.oversized"


class UnknownVersion(MessageError):
    code = "message.unknown_version"


class FutureVersion(MessageError):
    code = "message.future_version"


class UnknownMessage(MessageError):
    code = "message.unknown"


class CallError(SageError):
    code = "call"


class DeadlineExceeded(CallError):
    code = "call.deadline"


class Cancelled(CallError):
    code = "call.cancelled"


class UnknownNode(CallError):
    code = "call.unknown_node"


class UnknownService(CallError):
    code = "call.unknown_service"


class CalleeLost(CallError):
    code = "call.callee_lost"


class HubLost(CallError):
    code = "call.hub_lost"


class Overloaded(CallError):
    code = "call.overloaded"


class BadRequest(CallError):
    code = "call.bad_request"


class HandlerFailed(CallError):
    code = "call.handler_failed"


class AlreadyRunning(SageError):
    code = "already_running"


class NameTaken(SageError):
    code = "name_taken"


class NotPermitted(SageError):
    code = "not_permitted"


class SealError(SageError):
    code = "seal"


class BulkError(SageError):
    code = "bulk"


class BulkMissing(BulkError):
    code = "bulk.missing"


class BulkCorrupt(BulkError):
    code = "bulk.corrupt"
