import pytest

from experiments.reference.batches import LONG_EVERY, LONG_ROW, PROMPT_WEIGHT, ROW, STEP_TOKENS, Packer, chatml
from experiments.reference.curriculum import Message
from experiments.reference.diet import DIETS, copying

pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def tokenizer():
    from experiments.reference.tokenizer import pretrained

    return pretrained()


def test_a_batch_follows_from_seed_and_step_alone(tokenizer):
    first, again = (Packer(tokenizer, DIETS["sensory"], 1) for _ in range(2))
    first.batch(2, 0.5)
    assert first.batch(3, 0.5) == again.batch(3, 0.5)
    assert first.batch(4, 0.5) != again.batch(3, 0.5)


@pytest.mark.parametrize(("step", "length"), [(0, ROW), (LONG_EVERY - 1, LONG_ROW)])
def test_every_step_has_as_many_tokens_and_some_have_long_rows(tokenizer, step: int, length: int):
    batch = Packer(tokenizer, DIETS["tactical"], 1).batch(step, 0.3)
    assert [len(row) for row in batch.ids] == [len(row) for row in batch.weights] == [length] * (STEP_TOKENS // length)


def test_answers_weigh_one_and_all_else_little(tokenizer):
    packer = Packer(tokenizer, DIETS["sensory"], 1)
    ids = tokenizer.encode(chatml([Message("user", "what is 1 + 2"), Message("assistant", "1 + 2 = 3.")]))
    weighed = [token for token, weight in zip(ids, packer._weights(ids), strict=True) if weight == 1.0]
    assert tokenizer.decode(weighed) == "1 + 2 = 3.<|im_end|>"
    assert set(packer._weights(ids)) == {1.0, PROMPT_WEIGHT}


def test_our_chatml_is_what_the_chat_template_writes(tokenizer):
    turns = [Message("user", "hello"), Message("assistant", "hello, how can i help you?")]
    for messages in (turns, [Message("system", "You are sage."), *turns]):
        template = [{"role": message.role, "content": message.content} for message in messages]
        assert tokenizer.apply_chat_template(template, tokenize=False) == chatml(messages)


def test_copying_falls_and_then_stays():
    assert copying(0.0) == pytest.approx(0.40)
    assert copying(0.2) == pytest.approx(0.225)
    assert copying(0.4) == copying(1.0) == pytest.approx(0.05)
