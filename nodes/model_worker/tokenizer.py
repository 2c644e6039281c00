"""A transformers tokenizer, as rendering and generation need it."""

from collections.abc import Mapping, Sequence
from typing import Any

from nodes.model_worker.errors import NoChatTemplate
from nodes.model_worker.rendering import Encoding
from protocol.errors import BadRequest
from protocol.messages.model import ChatMessage


class ChatTokenizer:
    """Implements `rendering.Tokens`."""

    def __init__(self, tokenizer: Any, place: str, tools: Sequence[Mapping[str, Any]] = ()) -> None:
        self._tokenizer = tokenizer
        self._place = place
        self._tools = list(tools)

    def with_tools(self, tools: Sequence[Mapping[str, Any]]) -> "ChatTokenizer":
        """The same, and its template tells the model of these tools (JSON schemas, as transformers takes them)."""
        return ChatTokenizer(self._tokenizer, self._place, tools) if tools else self

    def render(self, messages: Sequence[ChatMessage]) -> str:
        """Raises NoChatTemplate, or BadRequest where the template refuses the messages."""
        from jinja2.exceptions import TemplateError

        if not self._tokenizer.chat_template:
            raise NoChatTemplate(
                "has no chat template, so it cannot be sent messages",
                place=self._place,
                remedy=f"send ids, or put a {'chat_template.jinja'} into the model's folder",
            )
        chat = [{"role": message.role, "content": message.content} for message in messages]
        try:
            text: str = self._tokenizer.apply_chat_template(
                chat, tools=self._tools or None, tokenize=False, add_generation_prompt=True
            )
        except TemplateError as error:
            raise BadRequest(f"the model's chat template refuses the messages: {error}", place=self._place) from error
        return text

    def encode(self, text: str) -> Encoding:
        offsets = self._tokenizer.is_fast
        encoded = self._tokenizer(
            text, add_special_tokens=False, return_attention_mask=False, return_offsets_mapping=offsets
        )
        ends = [end for _, end in encoded["offset_mapping"]] if offsets else []
        return Encoding(encoded["input_ids"], ends)

    @property
    def special_ids(self) -> frozenset[int]:
        """Tokens that no text has: beginnings and ends of messages, and the like."""
        added = {token for token, each in self._tokenizer.added_tokens_decoder.items() if each.special}
        return frozenset(self._tokenizer.all_special_ids) | added

    def spell(self, ids: list[int]) -> str:
        """Text of the ids with special tokens, spaces as they are."""
        text: str = self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text

    def decode(self, ids: list[int]) -> str:
        """Text of the ids without special tokens, spaces as they are."""
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text
