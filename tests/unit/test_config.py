"""The one config loader: what it takes, and that whatever it refuses it refuses with a place."""

import enum
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from runtime import config
from runtime.config import ConfigError, Duration, Size


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Wav(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="wav"):
    path: str


class Microphone(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="microphone"):
    rate: int = 16000


class Inner(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    restart: Literal["never", "on-failure", "always"] = "never"
    grace: Duration = 1.0
    memory: Size | None = None
    share: Annotated[float, Meta(ge=0, le=1)] = 0.5


class Outer(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    count: int = 0
    on: bool = False
    colour: Colour = Colour.RED
    inner: Inner = Inner()
    by_name: dict[str, Inner] = {}
    words: list[str] = []
    pair: tuple[int, str] = (0, "")
    source: Wav | Microphone | None = None
    limit: Duration | Literal["off"] = "off"
    folder: Path | None = None

    def __post_init__(self) -> None:
        if self.count > 100:
            raise ValueError("count and name do not go together")


def outer(text: str) -> Outer:
    return config.convert(config.parse(text.encode(), "f.yaml"), Outer)


def refusal(text: str | bytes, type_: type = Outer) -> str:
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(ConfigError) as caught:
        config.convert(config.parse(data, "f.yaml"), type_)
    return str(caught.value)


def test_everything_a_file_may_hold_arrives_typed() -> None:
    value = outer(
        "name: x\ncount: 0x10\non: true\ncolour: green\n"
        "inner: {restart: always, grace: 1.5s, memory: 512MiB, share: 1}\n"
        "by_name: {a: {}, b: {grace: 200ms}}\nwords: [a, 'true', \"5\"]\npair: [1, x]\n"
        "source: {type: wav, path: a.wav}\nlimit: 2m\nfolder: /tmp\n"
    )
    assert value == Outer(
        name="x",
        count=16,
        on=True,
        colour=Colour.GREEN,
        inner=Inner(restart="always", grace=1.5, memory=512 << 20, share=1.0),
        by_name={"a": Inner(), "b": Inner(grace=0.2)},
        words=["a", "true", "5"],
        pair=(1, "x"),
        source=Wav("a.wav"),
        limit=120.0,
        folder=Path("/tmp"),
    )


def test_the_error_of_the_design_reads_as_promised() -> None:
    class Node(Struct, frozen=True, forbid_unknown_fields=True):
        restart: Literal["never", "on-failure", "always"]

    class File(Struct, frozen=True, forbid_unknown_fields=True):
        nodes: dict[str, Node]

    text = "# launch\nnodes:\n  dialogue:\n    restart: alwys\n"
    with pytest.raises(ConfigError) as caught:
        config.convert(config.parse(text.encode(), "launch/local.yaml"), File)
    expected = "'alwys' is not one of never, on-failure, always; did you mean 'always'?"
    assert str(caught.value) == f"launch/local.yaml:4: nodes.dialogue.restart: {expected}"
    assert caught.value.detail == {"file": "launch/local.yaml", "line": 4, "key": "nodes.dialogue.restart"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("count: 1", "f.yaml:1: the key 'name' is missing"),
        ("name: x\ncuont: 1", "f.yaml:2: cuont: no such key; did you mean 'count'?"),
        ("name: x\nzzz: 1", "f.yaml:2: zzz: no such key; known here: name, count"),
        ("name: 5", "f.yaml:1: name: 5 is not text; put it in quotes"),
        ("name: x\ncount: five", "f.yaml:2: count: 'five' is not a whole number"),
        ("name: x\ncount: true", "f.yaml:2: count: true is not a whole number"),
        ("name: x\ncount: 1.0", "f.yaml:2: count: 1.0 is not a whole number"),
        ("name: x\ncount:", "f.yaml:2: count: nothing is not a whole number"),
        ("name: x\ncount: 101", "f.yaml:1: count and name do not go together"),
        ("name: x\non: yes", "f.yaml:2: on: 'yes' is not true or false; did you mean true?"),
        ("name: x\ncolour: greeen", "did you mean 'green'?"),
        ("name: x\ninner: {grace: 5}", "f.yaml:2: inner.grace: 5 is not a duration with its unit, such as 1.5s"),
        ("name: x\ninner: {grace: 5 parsecs}", "a duration such as 200ms, 1.5s, 5m or 2h was expected"),
        ("name: x\ninner: {memory: 512}", "f.yaml:2: inner.memory: 512 is not a size with its unit, such as 512MiB"),
        ("name: x\ninner: {memory: 512ms}", "a size such as 64KiB, 512MiB or 2GiB was expected"),
        ("name: x\ninner: {memory: 99999999TiB}", "beyond anything"),
        ("name: x\ninner:\n  share: 1.5", "f.yaml:3: inner.share: 1.5: expected float <= 1.0"),
        ("name: x\ninner: 5", "f.yaml:2: inner: 5 is not a mapping with the keys restart, grace, memory, share"),
        ("name: x\nby_name:\n  a:\n    grace: s", "f.yaml:4: by_name.a.grace"),
        ("name: x\nwords:\n  - a\n  - 5", "f.yaml:4: words[1]: 5 is not text"),
        ("name: x\nwords: a", "f.yaml:2: words: 'a' is not a list"),
        ("name: x\npair: [1]", "f.yaml:2: pair: 1 values, 2 were expected"),
        ("name: x\nsource: {type: wave, path: a}", "source.type: 'wave' is not one of wav, microphone; did you mean"),
        ("name: x\nsource: {path: a}", "the key 'type' is missing: one of wav, microphone"),
        ("name: x\nlimit: of", "did you mean 'off'?"),
        ("- a", "f.yaml:1: a list is not a mapping with the keys name"),
        ("just text", "f.yaml:1: 'just text' is not a mapping"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(text: str, expected: str) -> None:
    assert expected in refusal(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", "f.yaml:1: the file is empty"),
        (b"# only words\n", "f.yaml:1: the file is empty"),
        (b"name: x\nname: y", "f.yaml:2: key 'name' stands here twice (first in line 1)"),
        (b"a: {b: 1,\n  b: 2}", "f.yaml:2: key 'b' stands here twice"),
        (b"name: &a x\ncount: *a", "f.yaml:1: anchor &a: anchors are not read"),
        (b"a: *b", "f.yaml:1: alias *b"),
        (b"name: !!python/object/apply:os.system [id]", "f.yaml:1: tag tag:yaml.org,2002:python/object/apply"),
        (b"name: !!str x", "tags are not read"),
        (b"<<: {name: x}", "f.yaml:1: <<: no such key"),
        (b"1: x", "f.yaml:1: key '1': keys are strings; put it in quotes"),
        (b"true: x", "key 'true': keys are strings"),
        (b"? [a, b]\n: x", "keys are strings"),
        (b"name: x\n---\nname: y", "f.yaml:2: a second document begins here"),
        (b"name: x\ncount: 99999999999999999999", "f.yaml:2: '99999999999999999999': that number is too large"),
        (b"count: " + b"9" * 100_000, "that number is too large"),
        (b"count: 1e999", "that number is too large"),
        (b"name: x\n\xff\xfe", "f.yaml:2: byte 0xff is not UTF-8"),
        ("name: x".encode("utf-16"), "byte 0xff is not UTF-8"),
        (b"name: \x00", "f.yaml:1: character U+0000 is not allowed"),
        (b'name: x\nwords: ["\\0"]', "f.yaml:2: '\\x00': U+0000 is not allowed"),
        (b'name: "\\ud800"', "U+D800 is not allowed"),
        (b'name: "\\UFFFFFFFF"', "names no character"),
        (b"name: [" * 5000, "nested deeper than 32 levels"),
        (b"[" * 100_000, "nested deeper than 32 levels"),
        (b"- " * 5000, "nested deeper than 32 levels"),
        (b"name: 'x", "f.yaml:1:"),
        (b"a: b: c", "mapping values are not allowed here"),
        (b"a:\n\t- b", "f.yaml:2:"),
        (b"x" * ((1 << 20) + 1), "the file has 1048577 bytes, at most 1048576 are read"),
    ],
)
def test_what_is_not_our_yaml_is_refused_with_its_line(text: bytes, expected: str) -> None:
    assert expected in refusal(text)


@pytest.mark.parametrize("word", ["no", "yes", "on", "off", "NO", "2024-01-01", "1:30", "0755", "1_000", ".nan", "0o7"])
def test_words_stay_words(word: str) -> None:
    assert outer(f"name: {word}").name == word


def test_a_file_that_cannot_be_read_is_a_config_error(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.yaml", tmp_path, "nul\0byte"):
        with pytest.raises(ConfigError, match="cannot be read"):
            config.load(path, Outer)


def test_a_byte_order_mark_is_not_part_of_the_first_key() -> None:
    assert outer("\ufeffname: x").name == "x"


def test_plain_values_are_held_to_the_same_rules() -> None:
    assert config.from_plain({"name": "x", "limit": "2s"}, Outer, "SAGE_PARAMS") == Outer(name="x", limit=2.0)
    with pytest.raises(ConfigError, match=r"SAGE_PARAMS: inner\.grace: 2 is not a duration"):
        config.from_plain({"name": "x", "inner": {"grace": 2}}, Outer, "SAGE_PARAMS")
    with pytest.raises(ConfigError, match="has no place"):
        config.from_plain({"name": object()}, Outer, "SAGE_PARAMS")


def refused_at(data: bytes) -> str | None:
    """The file that the refusal names, None if there was none."""
    try:
        assert isinstance(config.convert(config.parse(data, "f.yaml"), Outer), Outer)
    except ConfigError as error:
        return error.place.split(":")[0]
    return None


@given(st.binary(max_size=300))
def test_no_bytes_give_anything_but_a_config_error(data: bytes) -> None:
    assert refused_at(data) in (None, "f.yaml")


NAMES = st.sampled_from([*Outer.__struct_fields__, "x", "1", "<<"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_no_tree_gives_anything_but_a_config_error(tree: dict[str, object]) -> None:
    assert refused_at(msgspec.json.encode(tree)) in (None, "f.yaml")
