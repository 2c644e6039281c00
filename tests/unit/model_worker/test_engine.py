import dataclasses
import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nodes.model_worker.engine import Engine
from nodes.model_worker.errors import ContextTooLong, ModelError, ModelMemory, ModelMissing, NoChatTemplate
from nodes.model_worker.folder import open_folder, weights_digest
from nodes.model_worker.learned import Learned
from nodes.model_worker.levels import Level
from nodes.model_worker.turn import ids_that_say
from protocol.errors import BadRequest
from protocol.messages.model import ChatMessage, Generate, Generated, Token
from runtime.clock import VirtualClock


def chat(*contents: str) -> list[ChatMessage]:
    return [ChatMessage(role=("user", "assistant")[i % 2], content=text) for i, text in enumerate(contents)]


@pytest.fixture
def engine(level: Level) -> Engine:
    return Engine(level)


def cold(level: Level, request: Generate) -> Generated:
    return Engine(level).generate(msgspec.structs.replace(request, session=""))


def prompt_of(engine: Engine, generated: Generated) -> Generate:
    """The ids that session `s` was sent last, earlier answers in the ids they were generated in."""
    with engine._sessions.use("s") as session:
        return Generate(ids=session.ids[: generated.tokens_reused + generated.tokens_computed])


def test_the_streamed_texts_together_are_the_answer(engine: Engine) -> None:
    tokens: list[Token] = []
    generated = engine.generate(Generate(messages=chat("what is two ?"), max_new_tokens=40), on_token=tokens.append)
    assert "".join(token.text for token in tokens) == generated.text
    assert [token.id for token in tokens] == generated.ids
    assert [token.index for token in tokens] == list(range(generated.tokens_generated))


def test_it_says_what_was_done_how_long_it_took_and_who_answered(engine: Engine) -> None:
    generated = engine.generate(Generate(messages=chat("so ?")))
    assert generated.tokens_generated == len(generated.ids) == engine.level.max_new_tokens
    assert generated.stop_reason == "length"
    assert 0 < generated.confidence < 1
    assert generated.seconds.keys() == {"load", "tokenize", "prefill", "decode"}
    assert (generated.level, generated.model, generated.version) == (
        "sensory",
        engine.level.model,
        engine.info().version,
    )
    assert generated.cpu_s > 0


def test_the_next_turn_computes_only_what_is_new_and_answers_as_cold(engine: Engine, level: Level) -> None:
    first = engine.generate(Generate(messages=chat("the cup is in the hall ."), session="s"))
    request = Generate(messages=chat("the cup is in the hall .", first.text, "what is two ?"), session="s")
    second = engine.generate(request)
    # The last generated token was never forwarded; its place is computed now.
    assert second.tokens_reused == first.tokens_computed + first.tokens_generated - 1
    assert second.diverged_at is None
    assert second.ids == cold(level, prompt_of(engine, second)).ids


def test_an_answer_the_tokenizer_would_write_otherwise_keeps_its_ids(engine: Engine, level: Level) -> None:
    first = engine.generate(Generate(messages=chat("what is two ?"), session="s"))
    tokenizer = engine.load().tokenizer
    assert tokenizer.encode(first.text).ids != first.ids, "a random model's ids are not what the tokenizer chooses"
    second = engine.generate(Generate(messages=chat("what is two ?", first.text, "ok"), session="s"))
    assert second.tokens_reused == first.tokens_computed + first.tokens_generated - 1


def test_given_ids_are_continued_as_they_are(engine: Engine, level: Level) -> None:
    ids = [5, 6, 7, 8, 9]
    first = engine.generate(Generate(ids=ids, session="s"))
    request = Generate(ids=[*ids, *first.ids, 40], session="s")
    second = engine.generate(request)
    assert second.tokens_reused == len(ids) + len(first.ids) - 1
    assert second.tokens_computed == 2
    assert second.ids == cold(level, request).ids


def test_an_edited_message_is_named_and_computed_anew(engine: Engine, level: Level) -> None:
    first = engine.generate(Generate(messages=chat("the cup", "ok", "what is two ?"), session="s"))
    assert first.diverged_at is None
    request = Generate(messages=chat("the cup", "no", "what is two ?"), session="s")
    edited = engine.generate(request)
    assert edited.diverged_at == edited.tokens_reused
    assert edited.diverged_message == 1
    assert edited.ids == cold(level, request).ids


def test_a_template_that_renders_earlier_turns_otherwise_is_computed_anew_from_there(
    engine: Engine, level: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As templates do that leave out what an earlier answer thought."""
    tokenizer = engine.load().tokenizer._tokenizer
    short = "{{ message.content if loop.last else message.content[-9:] }}"
    monkeypatch.setattr(tokenizer, "chat_template", tokenizer.chat_template.replace("{{ message.content }}", short))
    first = engine.generate(Generate(messages=chat("the cup is in the hall ."), session="s"))
    second = engine.generate(Generate(messages=chat("the cup is in the hall .", first.text, "so ?"), session="s"))
    assert second.diverged_message == 0
    assert 0 < second.tokens_reused == second.diverged_at < first.tokens_computed
    assert second.ids == cold(level, prompt_of(engine, second)).ids


def test_conversations_that_begin_alike_share_their_beginning(engine: Engine) -> None:
    engine.generate(Generate(messages=chat("ok"), session="s"))
    shared = engine.generate(Generate(messages=chat("ok"), session="t"))
    assert (shared.tokens_reused, shared.tokens_computed) == (shared.tokens_reused, 1)
    assert shared.tokens_reused > 0
    assert engine.generate(Generate(messages=chat("ok"))).tokens_computed == 1
    assert engine.generate(Generate(ids=[9, 8, 7], session="u")).tokens_reused == 0


def test_a_stop_text_ends_the_answer_before_it_and_the_session_goes_on(engine: Engine, level: Level) -> None:
    free = engine.generate(Generate(messages=chat("what ?"), max_new_tokens=40))
    stop = free.text[3:5]
    stopped = engine.generate(Generate(messages=chat("what ?"), session="s", stop=[stop], max_new_tokens=40))
    assert stopped.stop_reason == "stop"
    assert stopped.text == free.text[: free.text.index(stop)]
    request = Generate(messages=chat("what ?", stopped.text, "so ?"), session="s")
    again = engine.generate(request)
    assert again.tokens_reused >= stopped.tokens_computed
    assert again.ids == cold(level, prompt_of(engine, again)).ids


def test_sampling_repeats_with_its_seed(engine: Engine) -> None:
    def ids(seed: int | None) -> list[int]:
        return engine.generate(Generate(messages=chat("ok"), temperature=1.5, top_k=50, seed=seed)).ids

    assert ids(3) == ids(3) != ids(4)
    assert ids(None) != ids(None)


def test_a_cancel_ends_the_answer_with_what_there_is(engine: Engine) -> None:
    tokens: list[Token] = []
    generated = engine.generate(
        Generate(messages=chat("ok")), on_token=tokens.append, cancelled=lambda: len(tokens) >= 3
    )
    assert generated.stop_reason == "cancelled"
    assert generated.tokens_generated == len(tokens) == 4
    assert "".join(token.text for token in tokens) == generated.text


def test_a_cancel_before_the_first_token_leaves_the_computed_chunks_for_the_next_time(engine: Engine) -> None:
    looks = iter([False, False, True, True])
    request = Generate(messages=chat("the cup is in the hall . " * 8), session="s")
    generated = engine.generate(request, cancelled=lambda: next(looks))
    assert (generated.stop_reason, generated.text, generated.confidence) == ("cancelled", "", 0.0)
    assert generated.tokens_computed == 2 * engine.level.prefill_chunk
    assert engine.generate(request).tokens_reused == generated.tokens_computed


def test_a_deadline_ends_the_answer_with_what_there_is(level: Level) -> None:
    clock = VirtualClock(mono_ns=0)
    engine = Engine(level, clock=clock)
    generated = engine.generate(Generate(messages=chat("ok")), on_token=lambda _: clock.advance(1.0), deadline=2.5)
    assert (generated.stop_reason, generated.tokens_generated) == ("deadline", 4)


def test_a_context_over_the_limit_is_refused_with_the_limit_and_the_session_kept(engine: Engine) -> None:
    engine.generate(Generate(messages=chat("ok"), session="s"))
    with pytest.raises(ContextTooLong, match="the limit is 400") as refused:
        engine.generate(Generate(ids=[5] * 400, session="s"))
    assert refused.value.detail == {"limit": 400, "tokens": 400}
    assert engine.generate(Generate(messages=chat("ok"), session="s")).tokens_reused > 0


def test_the_last_token_that_fits_is_generated_and_no_more(engine: Engine) -> None:
    generated = engine.generate(Generate(ids=[5] * 396))
    assert (generated.tokens_generated, generated.stop_reason) == (4, "length")


def test_the_models_own_limit_holds_where_it_is_lower(level: Level) -> None:
    assert Engine(msgspec.structs.replace(level, context=10_000)).load().context == 512


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (Generate(), "messages or ids"),
        (Generate(messages=chat("a"), ids=[1]), "messages or ids"),
        (Generate(ids=[1, 300]), r"0\.\.299"),
        (Generate(ids=[-1]), r"0\.\.299"),
        (Generate(messages=chat("a"), temperature=-1), "temperature"),
        (Generate(messages=chat("a"), max_new_tokens=-1), "max_new_tokens"),
    ],
)
def test_a_request_that_cannot_be_meant_is_refused(engine: Engine, request_: Generate, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        engine.generate(request_)


def test_messages_need_a_template(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.load().tokenizer._tokenizer, "chat_template", None)
    with pytest.raises(NoChatTemplate, match="no chat template"):
        engine.generate(Generate(messages=chat("a")))
    assert engine.generate(Generate(ids=[5])).tokens_generated > 0


def test_messages_the_template_refuses_are_a_bad_request(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    template = "{{ raise_exception('roles must alternate') }}"
    monkeypatch.setattr(engine.load().tokenizer._tokenizer, "chat_template", template)
    with pytest.raises(BadRequest, match="roles must alternate"):
        engine.generate(Generate(messages=chat("a")))


def test_unloading_frees_the_model_and_the_next_request_loads_it_again(engine: Engine) -> None:
    first = engine.generate(Generate(messages=chat("ok"), session="s"))
    gone = weakref.ref(engine.load().model)
    assert engine.info().loaded
    engine.unload()
    gc.collect()
    assert gone() is None
    assert not engine.loaded
    info = engine.info()
    assert (info.loaded, info.state_bytes, info.version) == (False, 0, first.version)
    assert engine.generate(Generate(messages=chat("ok"), session="s")).ids == first.ids


@pytest.fixture
def learned(tmp_path: Path, level: Level) -> Learned:
    from tests.unit.model_worker import tiny

    path = tiny.save(tmp_path / "learned", seed=1)
    own = weights_digest(open_folder(Path(level.model)))
    return Learned(path, weights_digest(open_folder(path)), own)


def test_learned_weights_are_taken_up_and_given_back(engine: Engine, learned: Learned) -> None:
    request = Generate(messages=chat("ok"))
    own = engine.generate(request)
    assert engine.adopt(learned)
    assert engine.loaded
    assert not engine.adopt(learned)
    taught = engine.generate(request)
    assert engine.adopt(None)
    assert taught.version != own.version
    assert taught.ids != own.ids
    assert engine.generate(request).ids == own.ids


def test_learned_weights_wait_for_the_model_to_be_needed(engine: Engine, learned: Learned) -> None:
    engine.adopt(learned)
    assert not engine.loaded
    assert engine.load().fingerprint["weights"] == learned.digest


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"digest": "0" * 16}, "not 0000"),
        ({"base": "0" * 16}, "was learned from weights 0000"),
        ({"path": Path("/nowhere")}, "no such folder"),
    ],
)
def test_weights_that_are_not_what_they_are_said_to_be_are_refused_and_the_own_ones_answer(
    engine: Engine, learned: Learned, changes: dict[str, Any], said: str
) -> None:
    own = engine.load().version
    engine.adopt(learned)
    with pytest.raises(ModelError, match=said):
        engine.adopt(dataclasses.replace(learned, **changes))
    assert engine.load().version == own


def test_memory_that_runs_out_is_a_named_error_and_the_session_goes_on_from_before(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = Generate(messages=chat("ok"), session="s")
    first = engine.generate(request)
    layer = engine.load().model.model.layers[1]

    def exhausted(*_: Any, **__: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")

    with monkeypatch.context() as broken:
        broken.setattr(layer, "forward", exhausted)
        with pytest.raises(ModelMemory, match="level sensory: memory ran out"):
            engine.generate(request)
    assert engine.stats()["broken"] == 1
    again = engine.generate(request)
    assert (again.tokens_computed, again.ids) == (1, first.ids)


def test_a_model_that_is_not_there_is_said_when_it_is_first_needed(level: Level) -> None:
    engine = Engine(msgspec.structs.replace(level, model="/nowhere/at/all"))
    assert not engine.info().loaded
    with pytest.raises(ModelMissing):
        engine.generate(Generate(ids=[1]))
    assert "no such folder" in engine.problem


@pytest.mark.parametrize(("text", "ids"), [("ab", [1, 2]), ("a", [1]), ("abc", [1, 2, 3]), ("b", []), ("", [])])
def test_the_ids_of_a_trimmed_answer_are_those_that_say_it(text: str, ids: list[int]) -> None:
    decode: Callable[[list[int]], str] = lambda some: "".join(" abc"[token] for token in some)  # noqa: E731
    assert ids_that_say(text, [1, 2, 3], decode) == ids
