"""A world small enough to dream in within seconds: sixteen words, two skills, models of two layers.

`copy a b` is answered `a b`, `swap a b` is answered `b a`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import permutations
from pathlib import Path
from random import Random

import msgspec

from nodes.dream_consolidator import settings as configuration
from nodes.dream_consolidator.settings import Settings
from nodes.model_worker.levels import Level
from protocol.messages.context import Snarc
from protocol.messages.dream import Keep
from protocol.messages.model import ChatMessage
from runtime.verifiers import Verdict

WORDS = ["ash", "bay", "cod", "dew", "elm", "fig", "gem", "hay", "ivy", "jay", "kit", "log", "map", "nut", "oak", "pod"]
SKILLS = ("copy", "swap")
END = "<|im_end|>"

SPECIAL = ["<|endoftext|>", "<|im_start|>", END]

_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def questions(skill: str) -> list[str]:
    """All of the skill's questions, always in the same order that tells nothing."""
    found = [f"{skill} {first} {second}" for first, second in permutations(WORDS, 2)]
    Random(skill).shuffle(found)
    return found


def right_answer(question: str) -> str:
    skill, first, second = question.split()
    return f"{first} {second}" if skill == "copy" else f"{second} {first}"


class TinyVerifier:
    """Knows both skills."""

    name = "tiny"

    def verify(self, messages: Sequence[ChatMessage], answer: str) -> Verdict | None:
        question = messages[-1].content
        if question not in _KNOWN:
            return None
        expected = right_answer(question)
        return Verdict(score=float(answer.split() == expected.split()), skill=question.split()[0], expected=expected)


_KNOWN = {question for skill in SKILLS for question in questions(skill)}


def offer(question: str, *, answer: str, level: str, score: float | None, salience: float, cluster: int = 0) -> Keep:
    return Keep(
        exchange=f"x/{question}",
        session="s",
        messages=[ChatMessage(role="user", content=question)],
        answer=answer,
        level=level,
        version="v",
        context="novel",
        cluster=cluster,
        snarc=Snarc(salience=salience),
        score=score,
        confidence=0.95,
    )


def level(name: str, folder: Path) -> Level:
    return Level(name=name, model=str(folder), device="cpu", context=64, max_new_tokens=6)


def build_model(folder: Path, *, width: int, layers: int, seed: int) -> None:
    """A random Qwen2 model with the world's tokenizer, as `save_pretrained` leaves it."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = _tokenizer()
    tokenizer.save_pretrained(folder)
    torch.manual_seed(seed)
    end = tokenizer.convert_tokens_to_ids(END)
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=layers,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=64,
            tie_word_embeddings=True,
            eos_token_id=end,
            bos_token_id=None,
            initializer_range=0.08,
        )
    )
    model.save_pretrained(folder)


def train_model(folder: Path, lessons: Iterable[tuple[str, str]], *, steps: int, rate: float, seed: int) -> None:
    """Teach the model in `folder` the questions and answers, in place."""
    import torch
    from transformers import AutoTokenizer, Qwen2ForCausalLM

    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = Qwen2ForCausalLM.from_pretrained(folder)
    rows = []
    for question, answer in lessons:
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True
        )
        rows.append(tokenizer(prompt + answer + END, add_special_tokens=False)["input_ids"])
    assert len({len(row) for row in rows}) == 1, "all lessons of this world are equally long"
    ids = torch.tensor(rows)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    generator = torch.Generator().manual_seed(seed)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 20, 2 * (steps - step) / steps)
        batch = ids[torch.randint(len(ids), (32,), generator=generator)]
        logits = model(batch[:, :-1]).logits
        # What a user says is learned too, so that the model can ask itself.
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.save_pretrained(folder)


def quick(**train: object) -> Settings:
    """The settings that ship, with less of everything."""
    shipped = configuration.load()
    replace = msgspec.structs.replace
    return replace(
        shipped,
        select=replace(shipped.select, self_asked=24, judged=40),
        teach=replace(shipped.teach, by="here", top_k=8, at_once=512),
        train=replace(shipped.train, **{"epochs": 2, "steps": 0, "evaluate": 4, "checkpoint": 600.0, **train}),
    )


def _tokenizer():
    """Byte pairs merged until every word of the world is one token, with and without a space before it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    plain = Tokenizer(models.BPE())
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1000,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    plain.train_from_iterator([f"{word} {word}" for word in (*SKILLS, *WORDS, "user", "assistant")], trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=plain, eos_token=END, pad_token=SPECIAL[0])
    fast.chat_template = _TEMPLATE
    return fast
