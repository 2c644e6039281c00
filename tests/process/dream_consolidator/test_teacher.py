"""A teacher elsewhere that goes away, changes, or is a server: the dream ends as if nothing had been, or says why."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest

from nodes.dream_consolidator import teacher_cache
from nodes.dream_consolidator.distiller.distill import distill, distill_from
from nodes.dream_consolidator.distiller.teacher import Here, Remote
from nodes.dream_consolidator.distiller.workbench import Away, Workbench
from nodes.dream_consolidator.job import JobFolder, Outcome
from nodes.dream_consolidator.settings import Settings
from nodes.model_worker import loading
from nodes.model_worker.levels import Level
from nodes.model_worker.loading import LoadedModel
from nodes.model_worker.teach import teach
from protocol.errors import BadRequest
from protocol.messages.model import Exercise, Solution, Teach
from tests.process.dream_consolidator import tiny
from tests.process.dream_consolidator.conftest import Desk, bench, changed

VERIFIERS = [tiny.TinyVerifier()]


class Solving:
    """What a worker does, in this process; it is away before every solution whose number is in `gaps`."""

    def __init__(self, level: Level, gaps: Sequence[int] = ()) -> None:
        self._level, self._model = level, loading.load(level)
        self.gaps, self.said, self.named = set(gaps), 0, "v1"

    def version(self) -> str:
        return self.named

    def solve(
        self, exercises: Sequence[Exercise], version: str, *, top_k: int, limit: int, take: Callable[[Solution], None]
    ) -> None:
        request = Teach(exercises=list(exercises), top_k=top_k, max_new_tokens=limit, version=version)
        for solution in filter(None, teach(self._model, self._level, request)):
            if self.said in self.gaps:
                self.gaps.discard(self.said)
                raise Away(f"gone before {self.said}")
            self.said += 1
            take(solution)


def remembered(desk: Desk, made: Workbench, solving: Solving) -> Remote:
    return Remote(made, solving, teacher_cache.opened(desk.state_dir / made.job.dream, 1 << 26))


def dreamt(desk: Desk, folder: JobFolder, solving: Solving) -> tuple[Outcome, int]:
    """The outcome, and how often its teacher was away."""
    (desk.state_dir / folder.path.name).mkdir(mode=0o700, exist_ok=True)
    away = 0
    while True:
        made = bench(folder)
        try:
            return distill_from(remembered(desk, made, solving), made, VERIFIERS), away
        except Away:
            away += 1


def settings() -> Settings:
    return changed(tiny.quick(epochs=1, on_policy=0.5), "select", self_asked=0)


def as_ruled(outcome: Outcome) -> Outcome:
    """Without how sure each answer was.

    After a gap other questions go through the teacher together, which moves the last digits of what it says.
    """
    bare = [msgspec.structs.replace(trial, before_manner=None, after_manner=None) for trial in outcome.trials]
    return msgspec.structs.replace(outcome, trials=bare)


def test_a_teacher_that_goes_away_again_and_again_is_asked_nothing_twice_and_teaches_the_same(desk: Desk) -> None:
    whole, broken = (desk.folder(name, settings()) for name in ("whole", "broken"))
    undisturbed, flaky = Solving(desk.teacher), Solving(desk.teacher, gaps=(0, 7, 70))
    outcome, _ = dreamt(desk, whole, undisturbed)
    assert outcome.practised > 0
    found, away = dreamt(desk, broken, flaky)
    assert away == 3
    assert as_ruled(found) == as_ruled(outcome)
    assert flaky.said == undisturbed.said
    assert outcome.teacher_version == "v1"


def test_another_version_teaches_all_of_it_anew(desk: Desk) -> None:
    folder, solving = desk.folder("changed", settings()), Solving(desk.teacher, gaps=(70,))
    (desk.state_dir / "changed").mkdir(mode=0o700)
    made = bench(folder)
    with pytest.raises(Away, match="gone before 70"):
        distill_from(remembered(desk, made, solving), made, VERIFIERS)
    assert (folder.path / "told.sealed").exists()
    solving.named = "v2"
    with pytest.raises(Away, match="another by now"):
        distill_from(remembered(desk, made, solving), made, VERIFIERS)
    assert not (folder.path / "told.sealed").exists()
    outcome, away = dreamt(desk, folder, solving)
    assert (outcome.teacher_version, away) == ("v2", 0)


def test_a_teacher_elsewhere_says_what_it_says_here(desk: Desk) -> None:
    made = bench(desk.folder("same", tiny.quick(), answered=False))
    lessons = made.folder.material().lessons[:20]
    answered = [msgspec.structs.replace(each, answer="ash bay") for each in lessons]
    (desk.state_dir / "same").mkdir(mode=0o700)
    here, there = Here(made), remembered(desk, made, Solving(desk.teacher))
    assert united(here.answers(lessons)) == united(there.answers(lessons))
    ours, theirs = united(here.distributions(answered)), united(there.distributions(answered))
    assert ours.keys() == theirs.keys()
    for ident, told in ours.items():
        assert (told.prompt, told.answer) == (theirs[ident].prompt, theirs[ident].answer)
        assert told.target.logprobs.allclose(theirs[ident].target.logprobs, atol=1e-4)


def united(parts: Iterator[dict[str, Any]]) -> dict[str, Any]:
    return {ident: each for part in parts for ident, each in part.items()}


class Server(ThreadingHTTPServer):
    """Answers every question with `ash bay`, and tells of every prompt what a model of the level would say."""

    daemon_threads = True

    def __init__(self, model: LoadedModel, level: Level) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.model, self.level = model, level
        self.tells, self.status = True, 200
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def logprobs(self, ids: list[int], k: int) -> list[dict[str, Any] | None]:
        request = Teach(exercises=[Exercise(ids=ids[:1], answer_ids=ids[1:])], top_k=k)
        (said,) = filter(None, teach(self.model, self.level, request))
        tops = memoryview(said.top_ids).cast("i"), memoryview(said.top_logprobs).cast("f")
        rows: list[dict[str, Any] | None] = [None]
        for place, token in enumerate(ids[1:]):
            row = {
                str(tops[0][at]): {"logprob": tops[1][at], "decoded_token": self.model.tokenizer.decode([tops[0][at]])}
                for at in range(place * k, (place + 1) * k)
            }
            row.setdefault(str(token), {"logprob": -99.0, "decoded_token": self.model.tokenizer.decode([token])})
            rows.append(row)
        return rows


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self._reply({"data": [{"id": "big"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("chat/completions"):
            self._reply({"choices": [{"message": {"content": "ash bay"}, "finish_reason": "stop"}]})
            return
        choice: dict[str, Any] = {"text": "", "finish_reason": "length"}
        if self.server.tells:
            with self.server.lock:
                choice["prompt_logprobs"] = self.server.logprobs(body["prompt"], body["prompt_logprobs"])
        self._reply({"choices": [choice]})

    def _reply(self, said: Any) -> None:
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(json.dumps(said).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(desk: Desk) -> Iterator[Server]:
    with Server(loading.load(desk.teacher), desk.teacher) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def served(desk: Desk, server: Server, name: str) -> JobFolder:
    level = Level(name="big", model="big", backend="openai", url=server.url, context=64, max_new_tokens=6)
    asked = Desk(desk.state_dir, desk.student, level)
    return asked.folder(name, changed(settings(), "teach", by="endpoint"), answered=False)


def test_a_server_teaches_distributions_where_it_tells_them(desk: Desk, server: Server) -> None:
    folder = served(desk, server, "served")
    outcome = distill(bench(folder), [])
    assert outcome.distribution
    assert outcome.teacher_version == f"big at {server.url}"


def test_of_a_server_that_tells_no_distributions_only_the_words_are_learned(desk: Desk, server: Server) -> None:
    server.tells = False
    outcome = distill(bench(served(desk, server, "words")), [])
    assert (outcome.distribution, outcome.taught > 0) == (False, True)


@pytest.mark.parametrize(("status", "error"), [(503, Away), (404, BadRequest)])
def test_a_busy_server_is_waited_for_and_one_that_refuses_is_not(
    desk: Desk, server: Server, status: int, error: type[Exception]
) -> None:
    server.status = status
    with pytest.raises(error, match=f"HTTP status {status}"):
        distill(bench(served(desk, server, "refused")), [])
