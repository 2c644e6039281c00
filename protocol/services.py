"""Every service, declared once: what is asked, what is answered, and what streams back in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from protocol.errors import UnknownMessage
from protocol.messages import (
    audio,
    context,
    dialogue,
    dream,
    hub,
    metabolism,
    model,
    node,
    patterns,
    reality,
    speech,
    trust,
)


@dataclass(frozen=True)
class Service:
    name: str
    request: type[msgspec.Struct]
    reply: type[msgspec.Struct]
    part: type[msgspec.Struct] | None = None
    """The type of the parts that stream back before the reply, where there are any."""


class Services:
    """The declared services, by name and by request type."""

    def __init__(self) -> None:
        self._by_name: dict[str, Service] = {}
        self._by_request: dict[type[Any], Service] = {}

    def declare(
        self,
        name: str,
        request: type[msgspec.Struct],
        reply: type[msgspec.Struct],
        part: type[msgspec.Struct] | None = None,
    ) -> Service:
        """Declare a service. Raises `ValueError` where the name or the request type means another already."""
        service = Service(name, request, reply, part)
        known = self._by_name.get(name) or self._by_request.get(request)
        if known is not None and known != service:
            raise ValueError(f"{name} ({request.__name__}) is already declared as {known.name}")
        self._by_name[name] = service
        self._by_request[request] = service
        return service

    def by_name(self, name: str) -> Service:
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownMessage(f"no service {name!r} is declared here", place=name) from None

    def by_request(self, request: type[Any]) -> Service:
        try:
            return self._by_request[request]
        except KeyError:
            raise UnknownMessage(
                f"{request.__name__} asks no service", remedy="declare it with protocol.services.SERVICES.declare"
            ) from None

    def all(self) -> list[Service]:
        return sorted(self._by_name.values(), key=lambda service: service.name)


SERVICES = Services()

for _service in (
    Service("hub/register", hub.Register, hub.Registered),
    Service("hub/sync", hub.Sync, hub.Synced),
    Service("hub/snapshot", hub.SnapshotRequest, hub.Snapshot),
    Service("hub/list", hub.ListNodes, hub.Registry),
    Service("hub/stats", hub.StatsRequest, hub.HubStats),
    Service("node/ping", node.Ping, node.Pong),
    Service("node/describe", node.Describe, node.Description),
    Service("audio/hear", audio.Hear, audio.Heard, audio.Utterance),
    Service("context/classify", context.Classify, context.Classified),
    Service("context/explain", context.ExplainContext, context.ContextExplained),
    Service("context/forget", context.ForgetContext, context.ContextForgotten),
    Service("context/score", context.ScoreExchange, context.ExchangeScored),
    Service("context/reward", context.Reward, context.ExchangeScored),
    Service("context/conversation", context.ScoreConversation, context.ConversationScored),
    Service("dialogue/ask", dialogue.Ask, dialogue.Answer, dialogue.ReplyPart),
    Service("dialogue/trace", dialogue.TraceRequest, dialogue.TraceReply),
    Service("dialogue/forget", dialogue.ForgetSession, dialogue.Forgotten),
    Service("dialogue/feedback", dialogue.Feedback, dialogue.FeedbackTaken),
    Service("dialogue/replay", trust.Replay, trust.Replayed, trust.Replayed),
    Service("reality/list", reality.ListAssumptions, reality.Assumptions),
    Service("reality/explain", reality.ExplainAssumption, reality.AssumptionExplained),
    Service("reality/forget", reality.ForgetAssumptions, reality.AssumptionsForgotten),
    Service("reality/observe", reality.ObserveAssumption, reality.AssumptionObserved),
    Service("model/generate", model.Generate, model.Generated, model.Token),
    Service("model/teach", model.Teach, model.Taught, model.Solution),
    Service("model/embed", model.Embed, model.Embedded),
    Service("model/load", model.Load, model.ModelInfo),
    Service("model/unload", model.Unload, model.ModelInfo),
    Service("model/info", model.InfoRequest, model.ModelInfo),
    Service("model/save_state", model.SaveState, model.StateSaved),
    Service("model/resume_state", model.ResumeState, model.StateResumed),
    Service("model/mark_state", model.MarkState, model.StateMarked),
    Service("model/forget_state", model.ForgetState, model.StateForgotten),
    Service("metabolic/request", metabolism.RequestState, metabolism.MetabolicState),
    Service("metabolic/explain", metabolism.ExplainState, metabolism.StateExplained),
    Service("metabolic/transitions", metabolism.ListTransitions, metabolism.Transitions),
    Service("metabolic/rouse", metabolism.Rouse, metabolism.MetabolicState),
    Service("metabolic/settle", metabolism.Settle, metabolism.Settled),
    Service("metabolic/reserve", metabolism.Reserve, metabolism.Reserved),
    Service("metabolic/books", metabolism.BooksRequest, metabolism.Books),
    Service("trust/record", trust.Outcome, trust.TrustRecorded),
    Service("trust/show", trust.TableRequest, trust.TrustTable),
    Service("trust/verify", trust.VerifyRequest, trust.Verified),
    Service("trust/judge", trust.Judge, trust.TrustRecorded),
    Service("trust/tensors", trust.TensorsRequest, trust.Tensors),
    Service("trust/explain", trust.ExplainEntry, trust.EntryExplained),
    Service("trust/identities", trust.IdentitiesRequest, trust.Identities),
    Service("trust/introduce", trust.Introduce, trust.Written),
    Service("trust/witness", trust.Witness, trust.Written),
    Service("trust/revoke", trust.Revoke, trust.Written),
    Service("dream/keep", dream.Keep, dream.Kept),
    Service("dream/revise", dream.Revise, dream.Revised),
    Service("dream/examples", dream.ListExamples, dream.ExamplesListed, dream.ExampleRow),
    Service("dream/forget", dream.ForgetExamples, dream.ExamplesForgotten),
    Service("dream/start", dream.StartDream, dream.DreamCompleted, dream.DreamProgress),
    Service("dream/status", dream.DreamStatusRequest, dream.DreamStatus),
    Service("dream/stop", dream.StopDream, dream.DreamStopped),
    Service("dream/history", dream.HistoryRequest, dream.History),
    Service("dream/show", dream.ShowDream, dream.DreamShown),
    Service("dream/rollback", dream.RollBack, dream.RolledBack),
    Service("patterns/list", patterns.ListPatterns, patterns.PatternsListed),
    Service("patterns/proposals", patterns.ListProposals, patterns.Proposals),
    Service("patterns/decide", patterns.DecidePattern, patterns.PatternDecided),
    Service("patterns/remove", patterns.RemovePattern, patterns.PatternRemoved),
    Service("speech/say", speech.Say, speech.Said),
):
    SERVICES.declare(_service.name, _service.request, _service.reply, _service.part)
