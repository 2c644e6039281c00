import msgspec
import pytest

from protocol.errors import UnknownMessage
from protocol.messages.audio import Utterance
from protocol.schema import additive, schema_hash, schema_hashes, schema_of
from protocol.services import SERVICES, Services
from protocol.topics import TOPICS, Latest, Queue, Topics


def test_every_declared_type_has_a_schema():
    hashes = schema_hashes()
    assert set(hashes) == {one.path for one in TOPICS.all()} | {one.name for one in SERVICES.all()}


def test_a_topic_ends_at_a_delimiter_so_that_no_prefix_catches_a_neighbour():
    wire = TOPICS.by_path("audio/utterance").wire
    assert wire == b"audio/utterance/"
    assert not b"audio/utterances/".startswith(wire)


def test_a_topic_or_type_cannot_be_declared_twice_with_different_meaning():
    class Body(msgspec.Struct):
        x: int

    topics = Topics()
    topics.declare("a/b", Body, Queue(1))
    topics.declare("a/b", Body, Queue(1))
    with pytest.raises(ValueError, match="already declared"):
        topics.declare("a/b", Body, Latest())
    with pytest.raises(ValueError, match="already declared"):
        topics.declare("a/c", Body, Queue(1))


@pytest.mark.parametrize("path", ["audio", "Audio/x", "a/", "/a", "a//b", "a b/c", "~/x"])
def test_paths_that_could_not_be_told_apart_are_refused(path):
    with pytest.raises(ValueError, match="topic path"):
        Topics().declare(path, Utterance, Queue(1))


def test_unknown_topics_and_services_are_named():
    with pytest.raises(UnknownMessage, match="no/topic"):
        TOPICS.by_path("no/topic")
    with pytest.raises(UnknownMessage, match="no/service"):
        Services().by_name("no/service")


def _body(**fields):
    return msgspec.defstruct("Body", list(fields.values()), kw_only=True)


def test_a_field_with_a_default_is_additive_and_changes_the_hash():
    before = _body(x=("x", int))
    after = _body(x=("x", int), y=("y", str, ""))
    assert additive(schema_of(before), schema_of(after)) == []
    assert schema_hash(before) != schema_hash(after)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"y": ("y", str)}, ["Body.x is gone", "Body.y is new and has no default"]),
        ({"x": ("x", str)}, ["Body.x changed its type"]),
        ({"x": ("x", int), "y": ("y", str)}, ["Body.y is new and has no default"]),
    ],
)
def test_what_is_not_additive_is_named(fields, why):
    assert additive(schema_of(_body(x=("x", int))), schema_of(_body(**fields))) == why
