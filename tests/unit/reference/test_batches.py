import pytest

from experiments.reference.batches import (
    LONG_EVERY,
    LONG_ROWS,
    PROMPT_WEIGHT,
    ROW,
    STEP_TOKENS,
    Packer,
    chatml,
    message_weights,
    one_message,
)
from experiments.reference.curriculum import Message
from experiments.reference.diet import COPYING_FIRST, COPYING_LAST, DIETS, MEMORY_FIRST, MEMORY_LAST, SETTLED, Mix, mix

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


@pytest.mark.parametrize(
    ("step", "length"), [(0, ROW), (LONG_EVERY - 1, LONG_ROWS[0]), (2 * LONG_EVERY - 1, LONG_ROWS[1])]
)
def test_every_step_has_as_many_tokens_and_some_have_long_rows(tokenizer, step: int, length: int):
    batch = Packer(tokenizer, DIETS["tactical"], 1).batch(step, 0.3)
    assert [len(row) for row in batch.ids] == [len(row) for row in batch.weights] == [length] * (STEP_TOKENS // length)


@pytest.mark.parametrize("step", [0, LONG_EVERY - 1])
def test_a_row_is_one_conversation_cut_as_the_tokenizer_cuts_the_whole(tokenizer, step: int):
    for ids in Packer(tokenizer, DIETS["specialized"], 1).batch(step, 0.3).ids:
        text = tokenizer.decode([token for token in ids if token != tokenizer.pad_token_id], skip_special_tokens=False)
        assert text.startswith("<|im_start|>system\n")
        assert text.count("<|im_start|>system\n") == 1
        whole = tokenizer.encode(text)
        assert ids == whole + [tokenizer.pad_token_id] * (len(ids) - len(whole))


@pytest.mark.parametrize("step", [0, LONG_EVERY - 1, 2 * LONG_EVERY - 1])
def test_rows_are_nearly_full(tokenizer, step: int):
    batch = Packer(tokenizer, DIETS["specialized"], 1).batch(step, 0.3)
    filled = sum(weight > 0 for row in batch.weights for weight in row)
    assert filled > 0.85 * STEP_TOKENS


def test_answers_weigh_one_and_all_else_little(tokenizer):
    for role, weighed in (("user", ""), ("assistant", "1 + 2 = 3.<|im_end|>")):
        message = Message(role, "1 + 2 = 3.")
        ids = tokenizer.encode(one_message(message))
        weights = message_weights(message, len(ids))
        whole = [token for token, weight in zip(ids, weights, strict=True) if weight == 1.0]
        assert tokenizer.decode(whole) == weighed
        assert set(weights) <= {1.0, PROMPT_WEIGHT}


def test_our_chatml_is_what_the_chat_template_writes(tokenizer):
    turns = [Message("user", "hello"), Message("assistant", "hello, how can i help you?")]
    for messages in (turns, [Message("system", "You are sage."), *turns]):
        template = [{"role": message.role, "content": message.content} for message in messages]
        assert tokenizer.apply_chat_template(template, tokenize=False) == chatml(messages)


def test_copying_and_memory_come_first_and_then_stay():
    assert mix(0.0) == Mix(COPYING_FIRST, MEMORY_FIRST)
    assert mix(SETTLED / 2).copying == pytest.approx((COPYING_FIRST + COPYING_LAST) / 2)
    assert mix(SETTLED / 2).memory == pytest.approx((MEMORY_FIRST + MEMORY_LAST) / 2)
    assert mix(SETTLED) == mix(1.0)
    assert mix(1.0).copying == pytest.approx(COPYING_LAST)
    assert mix(1.0).memory == pytest.approx(MEMORY_LAST)
