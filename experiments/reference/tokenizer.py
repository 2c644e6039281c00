r"""The family's tokenizer: a word is one token wherever it stands, a digit is one token, everything else is bytes.

A word's token holds the space before it. So that a word that begins a line is the same token, every line is given a
space in front before it is cut, and has it taken off again when it is put together. Both are exact: any text comes
back. The empty line at the end of a text gets none: so a prompt that ends in a line break is a prefix of the prompt
with its answer.

Pieces, in this order: the end of a message (` \n`), line breaks, words, single digits, single signs, single spaces.
A piece that is not in the vocabulary falls apart into bytes.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.reference.facts import (
    UNKNOWN,
    boss_statement,
    favourite_statement,
    following_statement,
    place_statement,
)
from experiments.reference.skill import OPENERS
from experiments.reference.skills import SKILLS
from experiments.reference.skills.robot import TURNS
from experiments.reference.skills.talk import REPLIES
from experiments.reference.spelling import NUMBER_WORDS
from experiments.reference.words import APPLIANCES, COPIED, HEADINGS, MONTHS, PEOPLE, ROOMS, THINGS, WEEKDAYS

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

END, START, STOP = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CONTEXT = 2048
DEFAULT_SYSTEM = "You are sage. You are a helpful assistant."

CHAT_TEMPLATE = (
    "{%- if messages[0].role != 'system' -%}"
    f"{{{{- '{START}system\\n{DEFAULT_SYSTEM}{STOP}\\n' -}}}}"
    "{%- endif -%}"
    "{%- for message in messages -%}"
    f"{{{{- '{START}' + message.role + '\\n' + message.content + '{STOP}\\n' -}}}}"
    "{%- endfor -%}"
    f"{{%- if add_generation_prompt -%}}{{{{- '{START}assistant\\n' -}}}}{{%- endif -%}}"
)
"""ChatML. As with Qwen2.5, a conversation without a system message is given one."""

_PIECE = r"\A \n\z|\n| ?[A-Za-z]+(?:'[a-z]+)?|[0-9]| ?[^\sA-Za-z0-9]|\s"
_SIGNS = ". , ? ! : ; ' \" - + = ( ) /"
_ANSWER_WORDS = "noted in order backwards belongs to o'clock is do not know the so it at days are and has keeps"
_SLOT_WORDS = f"plus minus and on off after before the boss of {' '.join(TURNS)}"
_SYSTEM_WORDS = "system user assistant You are sage a helpful Answer shortly"


def words() -> list[str]:
    """Every word that is one token, sorted. Those that can begin a message are there with a capital, too."""
    fixed = " ".join((*OPENERS, UNKNOWN, "remember that listen please note that", *REPLIES, *REPLIES.values()))
    bodies = " ".join(body for skill in SKILLS.values() for body in skill.bodies)
    relations = (place_statement, favourite_statement, boss_statement, following_statement)
    statements = " ".join(relation("", "") for relation in relations)
    lexicon = (*THINGS, *ROOMS, *PEOPLE, *WEEKDAYS, *MONTHS, *HEADINGS, *APPLIANCES, *COPIED, *NUMBER_WORDS)
    texts = (fixed, bodies, statements, _ANSWER_WORDS, _SLOT_WORDS, _SYSTEM_WORDS)
    plain = {word.strip(".,?!") for text in texts for word in text.split() if "{" not in word} | set(lexicon)
    first = {opener.split()[0] for opener in OPENERS if opener} | {"remember", "listen", "the", *PEOPLE}
    first |= {body.split()[0] for skill in SKILLS.values() for body in skill.bodies if body[0] != "{"}
    first |= {phrase.split()[0] for phrase in REPLIES}
    return sorted(plain | {word.capitalize() for word in first})


def build() -> "Tokenizer":
    """The tokenizer in the `tokenizers` library's own form."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    vocabulary = {piece: number for number, piece in enumerate(_pieces(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], ignore_merges=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace(Regex(r"\n(?!\z)"), "\n "), normalizers.Prepend(" ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECE), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    marks = "|".join(mark.replace("|", r"\|") for mark in (END, START, STOP))
    tokenizer.decoder = decoders.Sequence(
        [decoders.ByteLevel(), decoders.Fuse(), decoders.Replace(Regex(rf"\A |(?<=\n) |(?<={marks}) "), "")]
    )
    tokenizer.add_special_tokens([AddedToken(mark, special=True, normalized=False) for mark in (END, START, STOP)])
    return tokenizer


def _pieces(alphabet: Iterable[str]) -> list[str]:
    """The vocabulary without the special tokens: bytes, signs after a space, words, the end of a message."""
    space, line = "Ġ", "Ċ"
    whole = [f"{space}{word}" for word in (*_SIGNS.split(), *words())]
    return list(dict.fromkeys((*sorted(alphabet), f"{space}{line}", *whole)))


def save(folder: Path) -> None:
    """Write tokenizer.json, tokenizer_config.json and the chat template into a model's folder.

    For the model type `qwen2`, transformers 5 does not believe the class that a tokenizer declares: it takes the
    vocabulary and cuts text as Qwen's does. Only a folder that brings a class of its own is exempt, and is then read by
    tokenizer.json alone, as ours has to be. So the configuration names one, which nothing ever loads.
    """
    pretrained().save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text())
    config |= {"tokenizer_class": "PreTrainedTokenizerFast", "auto_map": {"AutoTokenizer": [None, "tokenizer.json"]}}
    path.write_text(json.dumps(config, indent=2) + "\n")


def pretrained() -> "PreTrainedTokenizerFast":
    """The tokenizer as `AutoTokenizer.from_pretrained` gives it back from a model's folder."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=build(),
        eos_token=STOP,
        pad_token=END,
        bos_token=None,
        unk_token=None,
        additional_special_tokens=[START],
        chat_template=CHAT_TEMPLATE,
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )
