"""What the last message cost the model, found on the way."""

from typing import Any

import msgspec
import pytest
import torch

from nodes.model_worker.engine import Engine
from nodes.model_worker.generation import prefill
from nodes.model_worker.kv.state import AttentionState
from nodes.model_worker.levels import Level
from nodes.model_worker.likelihood import Judge
from protocol.messages.model import ChatMessage, Generate

IDS = [5, 17, 40, 8, 99, 120, 33, 61, 7, 7, 250]


def never() -> str:
    return ""


def costs(model: Any, ids: list[int]) -> list[float]:
    """−ln p of every id but the first, in one forward pass over all."""
    with torch.inference_mode():
        chances = model(input_ids=torch.tensor([ids])).logits[0].float().log_softmax(dim=-1)
    return [-float(chances[place, following]) for place, following in enumerate(ids[1:])]


@pytest.mark.parametrize("chunk", [3, 4, 64])
def test_tokens_cost_what_one_pass_over_all_says_however_they_are_cut(model: Any, chunk: int) -> None:
    judge = Judge(range(3, 9))
    prefill(model, AttentionState(2, 16), IDS, chunk=chunk, interrupted=never, judge=judge)
    judge.settle(model)
    assert judge.nats == pytest.approx(costs(model, IDS)[2:8], abs=1e-4)


def test_only_what_is_computed_after_something_computed_is_judged(model: Any) -> None:
    state = AttentionState(2, 16)
    prefill(model, state, IDS[:5], chunk=4, interrupted=never)
    judge = Judge(range(len(IDS)))
    prefill(model, state, IDS[5:], chunk=4, interrupted=never, judge=judge)
    judge.settle(model)
    assert judge.nats == pytest.approx(costs(model, IDS)[5:], abs=1e-4)


def test_what_the_model_expected_itself_is_the_entropy_of_what_it_drew_from(model: Any) -> None:
    judge = Judge(range(3, 9))
    prefill(model, AttentionState(2, 16), IDS, chunk=4, interrupted=never, judge=judge)
    judge.settle(model)
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([IDS])).logits[0, 2:8].float()
    expected = torch.distributions.Categorical(logits=logits).entropy().sum()
    assert judge.expected == pytest.approx(float(expected), abs=1e-4)
    assert judge.excess == pytest.approx((sum(judge.nats) - float(expected)) / 6, abs=1e-4)


def test_nothing_wanted_is_nothing_judged(model: Any) -> None:
    judge = Judge(range(0))
    prefill(model, AttentionState(2, 16), IDS, chunk=4, interrupted=never, judge=judge)
    judge.settle(model)
    assert (judge.nats, judge.mean, judge.excess) == ([], None, None)


def chat(*contents: str) -> Generate:
    messages = [ChatMessage(role=("user", "assistant")[i % 2], content=text) for i, text in enumerate(contents)]
    return Generate(messages=messages, session="s", judge_input=True)


def test_a_request_learns_what_its_last_message_cost_and_answers_as_without(level: Level, model: Any) -> None:
    request = chat("the cup is in the hall .")
    judged = Engine(level).generate(request)
    plain = Engine(level).generate(msgspec.structs.replace(request, judge_input=False))
    assert (judged.ids, judged.confidence) == (plain.ids, plain.confidence)
    assert plain.input_nll is None
    assert judged.reply_nll == plain.reply_nll
    assert judged.reply_nll is not None
    engine = Engine(level)
    encoded = engine.load().tokenizer
    head, content = encoded.encode("<|im_start|>user\n").ids, encoded.encode("the cup is in the hall .").ids
    expected = costs(model, head + content)[len(head) - 1 :]
    assert judged.input_judged == len(content)
    assert judged.input_nll == pytest.approx(sum(expected) / len(expected), abs=1e-4)


def test_in_a_conversation_only_the_last_message_is_judged(level: Level) -> None:
    engine = Engine(level)
    first = engine.generate(chat("the cup is in the hall ."))
    second = engine.generate(chat("the cup is in the hall .", first.text, "so ?"))
    assert second.tokens_reused > 0
    assert second.input_judged == len(engine.load().tokenizer.encode("so ?").ids)
    assert second.input_nll is not None


def test_ids_have_no_messages_to_judge(level: Level) -> None:
    generated = Engine(level).generate(Generate(ids=IDS, judge_input=True))
    assert (generated.input_nll, generated.input_judged) == (None, 0)
