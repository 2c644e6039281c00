import pytest

from experiments.reference.batches import (
    LONG_ROWS,
    PROMPT_WEIGHT,
    ROW,
    STEP_TOKENS,
    Packer,
    chatml,
    message_weights,
    one_message,
)
from experiments.reference.courses import FINISH, FIRST, REVISION, Course
from experiments.reference.curriculum import Message
from experiments.reference.diet import (
    COPYING_FIRST,
    COPYING_LAST,
    MEMORY_FIRST,
    MEMORY_LAST,
    SETTLED,
    UNTOLD,
    mix,
)

pytest.importorskip("transformers")

STEPS = 100
EVERY, LATER = FIRST.long_every_first, FIRST.long_every_last
SHORT, LONG, LONGEST = 0, EVERY - 1, 2 * EVERY - 1


@pytest.fixture(scope="module")
def tokenizer():
    from experiments.reference.tokenizer import pretrained

    return pretrained()


def test_a_batch_follows_from_seed_and_step_alone(tokenizer):
    first, again = (Packer(tokenizer, FIRST, "sensory", 1, STEPS) for _ in range(2))
    first.batch(2)
    assert first.batch(3) == again.batch(3)
    assert first.batch(4) != again.batch(3)


def test_batches_drawn_ahead_are_the_same(tokenizer):
    packer = Packer(tokenizer, FIRST, "sensory", 1, STEPS)
    assert list(packer.batches(range(3, 6), processes=1)) == [packer.batch(step) for step in range(3, 6)]


@pytest.mark.parametrize(
    ("step", "length"),
    [
        (SHORT, ROW),
        (LONG, LONG_ROWS[0]),
        (LONGEST, LONG_ROWS[1]),
        (STEPS - LATER, ROW),
        (STEPS - LATER - 1, LONG_ROWS[1]),
        (STEPS - 1, LONG_ROWS[0]),
    ],
)
def test_every_step_has_as_many_tokens_and_some_have_long_rows(tokenizer, step: int, length: int):
    batch = Packer(tokenizer, FIRST, "tactical", 1, STEPS).batch(step)
    assert [len(row) for row in batch.ids] == [len(row) for row in batch.weights] == [length] * (STEP_TOKENS // length)


@pytest.mark.parametrize("step", [SHORT, LONG])
def test_a_row_is_one_conversation_cut_as_the_tokenizer_cuts_the_whole(tokenizer, step: int):
    for ids in Packer(tokenizer, FIRST, "specialized", 1, STEPS).batch(step).ids:
        text = tokenizer.decode([token for token in ids if token != tokenizer.pad_token_id], skip_special_tokens=False)
        assert text.startswith("<|im_start|>system\n")
        assert text.count("<|im_start|>system\n") == 1
        whole = tokenizer.encode(text)
        assert ids == whole + [tokenizer.pad_token_id] * (len(ids) - len(whole))


def test_a_row_into_which_nothing_fitted_holds_the_system_prompt_alone(tokenizer, monkeypatch):
    monkeypatch.setattr("experiments.reference.batches.conversation", lambda *_: [])
    batch = Packer(tokenizer, FIRST, "sensory", 1, STEPS).batch(SHORT)
    assert {len(row) for row in batch.ids} == {ROW}
    assert max(max(row) for row in batch.weights) == PROMPT_WEIGHT


@pytest.mark.parametrize("step", [SHORT, LONG, LONGEST])
def test_rows_are_nearly_full(tokenizer, step: int):
    batch = Packer(tokenizer, FIRST, "specialized", 1, STEPS).batch(step)
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
    assert (mix(0.0).copying, mix(0.0).memory, mix(0.0).untold) == (COPYING_FIRST, MEMORY_FIRST, 0.0)
    assert mix(SETTLED / 2).copying == pytest.approx((COPYING_FIRST + COPYING_LAST) / 2)
    assert mix(SETTLED / 2).memory == pytest.approx((MEMORY_FIRST + MEMORY_LAST) / 2)
    assert mix(SETTLED) == mix(1.0)
    assert mix(1.0).copying == pytest.approx(COPYING_LAST)
    assert mix(1.0).memory == pytest.approx(MEMORY_LAST)
    assert mix(1.0).untold == UNTOLD


def test_later_courses_ask_for_facts_from_far_back_in_long_rows(tokenizer):
    def lengths(course: Course) -> list[int]:
        return [len(Packer(tokenizer, course, "sensory", 1, STEPS).batch(step).ids[0]) for step in range(4)]

    assert lengths(REVISION) == [ROW, LONG_ROWS[0], ROW, LONG_ROWS[1]]
    assert lengths(FINISH) == [*LONG_ROWS, *LONG_ROWS]
    assert FINISH.mix(0.0).distant > REVISION.mix(0.0).distant > 0 == FIRST.mix(1.0).distant


def test_every_course_teaches_the_same_skills_and_leaves_hearsay_what_a_size_is_not_to_know():
    for course in (REVISION, FINISH):
        for size, diet in FIRST.diets.items():
            assert course.diets[size].hearsay == diet.hearsay
            assert set(course.diets[size].weights) == set(diet.weights)
