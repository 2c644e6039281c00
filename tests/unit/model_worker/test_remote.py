"""Answers from a server with OpenAI's interface. The server here says what the test gives it to say."""

import json
import math
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from nodes.model_worker import fits, levels
from nodes.model_worker.errors import ModelChanged, ModelError, ModelMissing, ModelUnfit, ModelUnloaded, UnknownSession
from nodes.model_worker.learned import Learned
from nodes.model_worker.levels import Level
from nodes.model_worker.remote import RemoteEngine
from protocol.errors import BadRequest, ConfigError
from protocol.messages.model import ChatMessage, Embed, Generate, Token

QUESTION = [ChatMessage(role="user", content="2 + 2 ?")]


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.models: Any = {"data": [{"id": "big"}]}
        self.status = 200
        self.vectors: Any = {}
        self.lines: list[str] = []
        self.hold = threading.Event()
        """Set: the stream ends when all lines are said; otherwise it waits for that."""
        self.hold.set()
        self.asked: list[tuple[str, dict[str, Any], str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def says(self, *events: dict[str, Any], done: bool = True) -> None:
        self.lines = [f"data: {json.dumps(event)}" for event in events] + (["data: [DONE]"] if done else [])


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self._reply(json.dumps(self.server.models) if not isinstance(self.server.models, str) else self.server.models)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, body, self.headers.get("Authorization", "")))
        if self.server.status != 200:
            self._reply(json.dumps({"error": {"message": "too long, the limit is 512"}}), self.server.status)
            return
        if self.path == "/v1/embeddings":
            self._reply(json.dumps(self.server.vectors))
            return
        self.send_response(200)
        self.end_headers()
        for line in self.server.lines:
            self.wfile.write(f"{line}\n\n".encode())
            self.wfile.flush()
        self.server.hold.wait(60)

    def _reply(self, text: str, status: int = 200) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.hold.set()
        made.shutdown()
        thread.join()


@pytest.fixture
def engine(server: Server) -> RemoteEngine:
    return RemoteEngine(level(server.url))


def level(url: str, **changes: Any) -> Level:
    return Level(name="top", model="big", backend="openai", url=url, context=8192, max_new_tokens=64, **changes)


def delta(text: str, *logprobs: float, reason: str | None = None) -> dict[str, Any]:
    content = [{"token": text, "logprob": each} for each in logprobs]
    return {"choices": [{"delta": {"content": text}, "logprobs": {"content": content}, "finish_reason": reason}]}


USAGE = {
    "choices": [],
    "system_fingerprint": "f1",
    "usage": {"prompt_tokens": 90, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 64}},
}


def test_the_answer_is_streamed_and_the_servers_counts_are_told(server: Server, engine: RemoteEngine) -> None:
    server.says(delta("fo", math.log(0.9)), delta("ur", math.log(0.8), reason="stop"), USAGE)
    heard: list[Token] = []
    answer = engine.generate(Generate(messages=QUESTION, session="s", seed=3, stop=["x"]), on_token=heard.append)
    assert (answer.text, answer.stop_reason) == ("four", "stop")
    assert [token.text for token in heard] == ["fo", "ur"]
    assert (answer.tokens_reused, answer.tokens_computed, answer.tokens_generated) == (64, 26, 2)
    assert answer.confidence == pytest.approx(math.sqrt(math.sqrt(0.9 * 0.8) * 0.8))
    assert (answer.version, answer.exactness, answer.ids) == ("big@f1", "", [])
    ((path, body, key),) = server.asked
    assert path == "/v1/chat/completions"
    assert body["messages"] == [{"role": "user", "content": "2 + 2 ?"}]
    assert (body["max_tokens"], body["seed"], body["stop"], body["stream"]) == (64, 3, ["x"], True)
    assert key == ""


def test_ids_are_continued_and_a_key_is_sent(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_KEY", "secret")
    server.says({"choices": [{"text": "ok", "logprobs": {"token_logprobs": [0.0]}, "finish_reason": "length"}]})
    answer = RemoteEngine(level(server.url, api_key="SERVER_KEY")).generate(Generate(ids=[5, 6], max_new_tokens=1))
    ((path, body, key),) = server.asked
    assert (path, body["prompt"], key) == ("/v1/completions", [5, 6], "Bearer secret")
    assert (answer.text, answer.stop_reason, answer.confidence) == ("ok", "length", 1.0)


def test_a_cancel_or_the_deadline_ends_the_answer_with_what_there_is(server: Server, engine: RemoteEngine) -> None:
    server.says(delta("so far"), done=False)
    server.hold.clear()
    heard: list[Token] = []
    answer = engine.generate(Generate(messages=QUESTION), on_token=heard.append, cancelled=lambda: bool(heard))
    assert (answer.text, answer.stop_reason) == ("so far", "cancelled")
    late = engine.generate(Generate(messages=QUESTION), deadline=0.0)
    assert late.stop_reason == "deadline"


def test_a_server_that_is_not_there_is_named(server: Server) -> None:
    url = server.url.replace(str(server.server_address[1]), "1")
    engine = RemoteEngine(level(url))
    with pytest.raises(ModelMissing, match="start the server"):
        engine.generate(Generate(messages=QUESTION))
    assert "no answer from the server" in engine.problem


def test_a_model_that_the_server_does_not_have_is_named(server: Server, engine: RemoteEngine) -> None:
    server.models = {"data": [{"id": "small"}]}
    with pytest.raises(ModelMissing, match="the server has small, not 'big'"):
        engine.load()
    server.models = "<html>hello</html>"
    with pytest.raises(ModelUnfit, match="does not speak OpenAI's interface"):
        engine.load()


@pytest.mark.parametrize(
    ("status", "error"), [(400, BadRequest), (401, ModelUnfit), (404, ModelMissing), (500, ModelError)]
)
def test_what_the_server_refuses_comes_back_by_name_with_its_reason(
    server: Server, engine: RemoteEngine, status: int, error: type[Exception]
) -> None:
    server.status = status
    with pytest.raises(error, match="too long, the limit is 512"):
        engine.generate(Generate(messages=QUESTION))


def test_a_stream_that_breaks_off_is_no_answer(server: Server, engine: RemoteEngine) -> None:
    server.says(delta("half"), done=False)
    with pytest.raises(ModelError, match="without saying why"):
        engine.generate(Generate(messages=QUESTION))
    server.lines = ["data: {broken"]
    with pytest.raises(ModelError, match="no JSON"):
        engine.generate(Generate(messages=QUESTION))
    server.says({"error": {"message": "out of memory"}})
    with pytest.raises(ModelError, match="out of memory"):
        engine.generate(Generate(messages=QUESTION))


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (Generate(messages=QUESTION, exactness="cold"), "does not promise the class 'cold'"),
        (Generate(messages=QUESTION, overflow="shorten"), "only the server knows"),
        (Generate(), "either messages or ids"),
    ],
)
def test_what_this_backend_cannot_promise_is_refused(engine: RemoteEngine, request_: Generate, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        engine.generate(request_)


def test_it_takes_no_weights_and_keeps_no_state(engine: RemoteEngine, tmp_path: Any) -> None:
    with pytest.raises(ModelUnfit, match="takes no learned weights"):
        engine.adopt(Learned(tmp_path, "d"))
    with pytest.raises(UnknownSession):
        engine.resume_state("s")
    assert not engine.adopt(None)
    assert not engine.settle(lambda: "")


def test_its_level_is_configured_by_url_and_weighs_nothing_here(tmp_path: Any) -> None:
    file = tmp_path / "levels.yaml"
    file.write_text(
        "levels:\n  - {name: top, backend: openai, url: http://h/v1, model: big, context: 99, max_new_tokens: 9}\n"
    )
    (demand,) = fits.demands(levels.load(file))
    assert (demand.without_state, demand.state, demand.problem) == (0, 0, "")
    assert fits.budget([demand], fits.JETSON_8GB).total == 0
    for wrong in ("backend: openai", "url: http://h/v1", "backend: openai, url: h/v1"):
        file.write_text(f"levels:\n  - {{name: top, {wrong}, model: big, context: 99, max_new_tokens: 9}}\n")
        with pytest.raises(ConfigError, match="url"):
            levels.load(file)


def test_a_servers_vectors_are_put_in_order_and_to_unit_length(server: Server, engine: RemoteEngine) -> None:
    server.vectors = {"data": [{"index": 1, "embedding": [0.0, 2.0]}, {"index": 0, "embedding": [3.0, 4.0]}]}
    found = engine.embed(Embed(texts=["a", "b"]))
    assert found.over
    assert np.frombuffer(found.embedded.vectors, "<f4").tolist() == pytest.approx([0.6, 0.8, 0.0, 1.0])
    assert (found.embedded.dimensions, found.embedded.version, found.embedded.base) == (2, "big", "")
    ((path, body, _),) = server.asked
    assert (path, body["input"], body["model"]) == ("/v1/embeddings", ["a", "b"], "big")


@pytest.mark.parametrize("vectors", [{}, {"data": []}, {"data": [{"index": 0, "embedding": [1.0]}]}, [], "text"])
def test_a_server_that_gives_no_vectors_is_named(server: Server, engine: RemoteEngine, vectors: Any) -> None:
    server.vectors = vectors
    with pytest.raises(ModelUnfit, match="gives no vectors"):
        engine.embed(Embed(texts=["a", "b"]))


def test_a_servers_vectors_are_refused_where_another_version_or_no_look_is_wanted(engine: RemoteEngine) -> None:
    with pytest.raises(ModelUnloaded, match="not looked for yet"):
        engine.embed(Embed(texts=["a"], load=False))
    with pytest.raises(ModelChanged, match="big does"):
        engine.embed(Embed(texts=["a"], version="other"))
