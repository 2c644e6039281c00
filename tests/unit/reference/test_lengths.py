"""What is measured over length is asked at that length."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from experiments.reference import lengths
from experiments.reference.curriculum import Message
from experiments.reference.tokenizer import pretrained
from experiments.reference.verifiers import understand


@pytest.fixture(scope="module")
def tokenizer():
    return pretrained()


@pytest.mark.parametrize("length", lengths.LENGTHS)
def test_a_distant_question_stands_at_the_end_of_its_length_and_can_be_answered(tokenizer, length: int):
    size = lengths.sizer(tokenizer)
    for asked in lengths.distant_questions(length, 4, 0, size):
        prompt = sum(map(size, asked.messages))
        assert length - 100 < prompt <= length
        said = [message.content for message in asked.messages if message.role == "user"]
        understood = understand(said)
        assert understood is not None
        assert understood[0].name == "recall_place"
        assert understood[3] == asked.answer
        assert understood[0].difficulty(understood[1], understood[2]) == lengths.FACTS


def test_the_facts_stand_at_the_beginning(tokenizer):
    asked = lengths.distant_questions(1024, 1, 0, lengths.sizer(tokenizer))[0]
    assert asked.messages[0].content.count(" is in the ") == lengths.FACTS
    assert asked.messages[1] == Message("assistant", "noted.")


def test_perplexity_is_given_for_every_part_of_the_context(tokenizer):
    from transformers import Qwen2ForCausalLM

    from experiments.reference.family import SIZES

    model = Qwen2ForCausalLM(SIZES["sensory"].config(len(tokenizer), tokenizer.eos_token_id, tokenizer.pad_token_id))
    found = lengths.perplexity(model.eval(), tokenizer, 2, 0)
    assert list(found) == [str(start) for start in range(0, 2048, lengths.BIN)]
    assert all(100 < value < 10_000 for value in found.values())
