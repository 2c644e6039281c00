"""What can be wrong with a model or with what is asked of it. They travel to the caller by their code.

SageError
└── ModelError
    ├── ModelMissing        no such folder, or nothing of that name in the local hub cache
    ├── ModelIncomplete     the folder lacks a file that loading needs
    ├── ModelUnfit          it is there and cannot serve: not causal, not full attention, not on this device
    ├── ModelMemory         it does not fit into memory
    ├── ModelChanged        another version answers now than the one that was asked, or none does any more
    ├── ModelUnloaded       it is not in memory, and the request wants none loaded
    ├── ContextTooLong      more tokens than the level or the model can take
    ├── NoChatTemplate      messages were sent to a model that has no template for them
    ├── UnknownSession      nothing is kept of a conversation of this name
    ├── StateUnreadable     a file of attention state that cannot be used; the message says why
    └── StateOutOfReach     the place where attention state is kept cannot be opened
"""

from protocol.errors import SageError


class ModelError(SageError):
    code = "model"


class ModelMissing(ModelError):
    code = "model.missing"


class ModelIncomplete(ModelError):
    code = "model.incomplete"


class ModelUnfit(ModelError):
    code = "model.unfit"


class ModelMemory(ModelError):
    code = "model.memory"


class ModelChanged(ModelError):
    code = "model.changed"


class ModelUnloaded(ModelError):
    code = "model.unloaded"


class ContextTooLong(ModelError):
    """`detail` has `limit` and `tokens`."""

    code = "model.context_too_long"


class NoChatTemplate(ModelError):
    code = "model.no_chat_template"


class UnknownSession(ModelError):
    code = "model.unknown_session"


class StateUnreadable(ModelError):
    code = "model.state_unreadable"


class StateOutOfReach(ModelError):
    code = "model.state_out_of_reach"
