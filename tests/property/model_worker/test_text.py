"""Streams of any tokens, through the three kinds of decoder there are, say what decoding all at once says."""

from collections.abc import Callable
from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from nodes.model_worker.text import Pieces, StopTexts, TextStream
from nodes.model_worker.turn import ids_that_say
from tests.unit.model_worker.tiny import CORPUS, tokenizer

Decode = Callable[[list[int]], str]


@cache
def byte_level() -> Decode:
    from nodes.model_worker.tokenizer import ChatTokenizer

    return ChatTokenizer(tokenizer(), "test").decode


@cache
def sentencepiece_like() -> Decode:
    """Spaces as ▁, the first one dropped; unknown characters as byte tokens. As Llama's tokenizer."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    pieces = [f"<0x{byte:02X}>" for byte in range(256)]
    plain = Tokenizer(models.BPE(byte_fallback=True, unk_token="<0x00>"))
    plain.pre_tokenizer = pre_tokenizers.Metaspace()
    plain.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=400, special_tokens=pieces, show_progress=False))
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    plain.decoder = decoders.Sequence(steps)
    return lambda ids: str(plain.decode(ids, skip_special_tokens=False))


@cache
def words() -> Decode:
    """One token per word, joined by spaces. As small closed vocabularies."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    plain = Tokenizer(models.WordLevel(unk_token="?"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    plain.train_from_iterator(CORPUS, trainers.WordLevelTrainer(special_tokens=["?"], show_progress=False))
    return lambda ids: str(plain.decode(ids, skip_special_tokens=False))


def streamed(decode: Decode, ids: list[int]) -> list[str]:
    pieces = Pieces(decode)
    return [*(pieces.push(token) for token in ids), pieces.finish()]


@given(ids=st.lists(st.integers(0, 299), max_size=40))
def test_any_tokens_of_a_byte_level_tokenizer(ids: list[int]) -> None:
    assert "".join(streamed(byte_level(), ids)) == byte_level()(ids)


@given(text=st.text(max_size=40))
def test_a_text_of_whole_characters_never_shows_half_of_one(text: str) -> None:
    ids = tokenizer_ids(text)
    pieces = streamed(byte_level(), ids)
    assert "".join(pieces) == text
    assert "\ufffd" in text or not any("\ufffd" in piece for piece in pieces)


@cache
def _tokenizer() -> Callable[[str], list[int]]:
    made = tokenizer()
    return lambda text: list(made(text, add_special_tokens=False)["input_ids"])


def tokenizer_ids(text: str) -> list[int]:
    return _tokenizer()(text)


@given(ids=st.lists(st.integers(256, 280), max_size=40))
def test_any_words_of_a_sentencepiece_like_tokenizer_keep_their_spaces(ids: list[int]) -> None:
    assert "".join(streamed(sentencepiece_like(), ids)) == sentencepiece_like()(ids)


@given(text=st.text(alphabet="aé日😀 ", max_size=20))
def test_characters_written_in_byte_tokens_come_whole(text: str) -> None:
    ids = list(text.encode())
    assert "".join(streamed(sentencepiece_like(), ids)) == sentencepiece_like()(ids)


@given(ids=st.lists(st.integers(0, 15), max_size=40))
def test_any_tokens_of_a_word_tokenizer(ids: list[int]) -> None:
    assert "".join(streamed(words(), ids)) == words()(ids)


@given(
    text=st.text(alphabet="ab", max_size=30),
    stops=st.lists(st.text(alphabet="ab", min_size=1, max_size=4), max_size=3),
    cuts=st.lists(st.integers(1, 5), max_size=30),
)
def test_however_a_text_is_cut_it_ends_before_the_stop_text_that_is_complete_first(
    text: str, stops: list[str], cuts: list[int]
) -> None:
    scanner = StopTexts(stops)
    through, at = "", 0
    for cut in [*cuts, len(text)]:
        through += scanner.push(text[at : at + cut])
        at += cut
    through += scanner.finish()
    found = [(text.index(stop) + len(stop), text.index(stop)) for stop in stops if stop in text]
    assert through == text[: min(found)[1] if found else len(text)]
    assert scanner.met == bool(found)


@given(ids=st.lists(st.integers(0, 299), max_size=30), stop=st.lists(st.text(alphabet="aehu ", max_size=2), max_size=2))
def test_the_ids_remembered_for_an_answer_read_as_that_answer(ids: list[int], stop: list[str]) -> None:
    stream = TextStream(byte_level(), stop)
    given_out = [stream.push(token) for token in ids] + [stream.finish()]
    assert "".join(given_out) == stream.text
    kept = ids_that_say(stream.text, ids, byte_level())
    assert not kept or byte_level()(kept) == stream.text
    if not stream.stopped and stream.text:
        assert kept == ids
