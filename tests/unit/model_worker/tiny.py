"""A Qwen2 of a few thousand random weights with a byte-level tokenizer and the ChatML template, built in the test."""

from pathlib import Path
from typing import Any

import torch

CORPUS = ["the cup is in the hall .", "what is two plus two ?", "tom works for eva .", "naïve café — 日本語 😀 ok"] * 3
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    plain = Tokenizer(models.BPE())
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    plain.train_from_iterator(CORPUS, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=plain, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    fast.chat_template = TEMPLATE
    return fast


def config(**changes: Any) -> Any:
    from transformers import Qwen2Config

    shape: dict[str, Any] = {
        "vocab_size": 300,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "initializer_range": 0.5,
        "tie_word_embeddings": True,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "bos_token_id": None,
    }
    return Qwen2Config(**shape | changes)


def model(seed: int = 0, **changes: Any) -> Any:
    from transformers import Qwen2ForCausalLM

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    return Qwen2ForCausalLM(config(**changes)).eval().requires_grad_(requires_grad=False)


def save(folder: Path, **changes: Any) -> Path:
    """Write model and tokenizer as a Hugging Face folder."""
    model(**changes).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder
