import hashlib

import msgpack
import msgspec
import pytest

from protocol import codec
from protocol.errors import (
    CallError,
    FutureVersion,
    Malformed,
    Overloaded,
    Oversized,
    RemoteError,
    SageError,
    UnknownVersion,
    from_body,
)
from protocol.header import BODY_LIMIT, FRAME_LIMIT, WIRE_VERSION
from protocol.messages.audio import Utterance
from protocol.messages.node import Ping
from protocol.topics import TOPICS
from runtime.bus.publisher import Publisher
from runtime.clock import VirtualClock


def utterance(**changed):
    fields = {
        "text": "hello",
        "source": "file.wav",
        "utterance": 1,
        "confidence": 0.9,
        "accepted_by": "free",
        "begin_s": 0.5,
        "end_s": 1.5,
        "speech_end_ns": 7,
    }
    return Utterance(**{**fields, **changed})


@pytest.fixture
def publisher():
    return Publisher(source="ear", host="desk", clock=VirtualClock(), topics=TOPICS)


def test_a_message_comes_back_as_it_was_said(publisher):
    topic, frame = publisher.event(utterance(), b"t" * 16)
    envelope = codec.decode(frame)
    assert topic.path == envelope.name == "audio/utterance"
    assert (envelope.source, envelope.host, envelope.seq, envelope.trace) == ("ear", "desk", 1, b"t" * 16)
    assert codec.decode_body(envelope, Utterance) == utterance()


def test_plain_msgpack_reads_header_and_body_as_one_dictionary(publisher):
    _, frame = publisher.event(utterance(), b"")
    message = msgpack.unpackb(frame)
    assert message["name"] == "audio/utterance"
    assert message["body"]["text"] == "hello"
    assert len(message["id"]) == 16


def test_a_message_written_by_plain_msgpack_is_read_with_defaults_for_what_it_lacks(publisher):
    _, frame = publisher.event(Utterance(**msgspec.structs.asdict(utterance())), b"")
    message = msgpack.unpackb(frame)
    del message["body"]["stages"]
    message["body"]["a_field_of_next_year"] = {"x": 1}
    message["another"] = 1
    envelope = codec.decode(msgpack.packb(message))
    assert codec.decode_body(envelope, Utterance).stages == []


@pytest.mark.parametrize("frame", [b"", b"\xc1", b"\x80", b"\x93\x01\x02\x03", b"\xdf\xff\xff\xff\xff", b"\xa5hello"])
def test_what_is_no_message_is_malformed(frame):
    with pytest.raises(Malformed):
        codec.decode(frame)


def test_deep_nesting_is_malformed_not_a_crash():
    with pytest.raises(Malformed):
        codec.decode(b"\x91" * 100_000 + b"\x00")


def test_a_field_of_the_wrong_type_is_named(publisher):
    _, frame = publisher.event(utterance(), b"")
    message = msgpack.unpackb(frame)
    message["body"]["confidence"] = "high"
    envelope = codec.decode(msgpack.packb(message))
    with pytest.raises(Malformed, match=r"confidence"):
        codec.decode_body(envelope, Utterance)


@pytest.mark.parametrize(("version", "error"), [(WIRE_VERSION + 1, FutureVersion), (0, UnknownVersion)])
def test_other_versions_are_refused_by_name_even_where_the_rest_has_changed(publisher, version, error):
    _, frame = publisher.event(utterance(), b"")
    message = msgpack.unpackb(frame)
    message["version"] = version
    with pytest.raises(error):
        codec.decode(msgpack.packb(message))
    with pytest.raises(error):
        codec.decode(msgpack.packb({"version": version, "everything": "else is new"}))


def test_a_body_over_the_limit_is_refused_with_the_remedy(publisher):
    with pytest.raises(Oversized, match=r"bulk") as caught:
        publisher.event(utterance(text="x" * (BODY_LIMIT + 1)), b"")
    assert caught.value.place == "audio/utterance"


def test_a_refused_message_leaves_no_hole_in_the_sequence(publisher):
    with pytest.raises(Oversized):
        publisher.event(utterance(text="x" * (BODY_LIMIT + 1)), b"")
    _, frame = publisher.event(utterance(), b"")
    assert codec.decode(frame).seq == 1


def test_a_body_at_the_limit_travels(publisher):
    overhead = len(codec.encode_body(Ping(payload=b""))) + 8
    draft = publisher.draft("node/ping", Ping(payload=b"x" * (BODY_LIMIT - overhead)))
    assert codec.decode_body(codec.decode(codec.encode(draft)), Ping).payload[-1:] == b"x"


def test_frames_over_the_limit_are_refused_on_arrival():
    with pytest.raises(Oversized):
        codec.decode(b"\x00" * (FRAME_LIMIT + 1))


def test_errors_keep_their_class_place_and_remedy_over_the_wire():
    error = Overloaded("full", place="model/generate", remedy="ask later", detail={"waiting": 3})
    body = codec.decode_as(codec.encode_body(error.to_body()), type(error.to_body()))
    again = from_body(body)
    assert isinstance(again, Overloaded)
    assert isinstance(again, CallError)
    assert str(again) == "model/generate: full (ask later)"
    assert again.detail == {"waiting": 3}


def test_an_unknown_error_class_keeps_its_code():
    class OfAnotherProcess(SageError):
        code = "kv.of_another_process"

    body = OfAnotherProcess("odd").to_body()
    del SageError._by_code["kv.of_another_process"]
    again = from_body(body)
    assert isinstance(again, RemoteError)
    assert again.remote_code == "kv.of_another_process"
    assert again.to_body() == body


def test_an_error_class_without_a_code_of_its_own_is_refused():
    with pytest.raises(TypeError, match="code"):
        type("Nameless", (SageError,), {})


def test_ids_sort_by_time_and_are_version_seven():
    from protocol import ids

    first, second = ids.uuid7(1000, 5), ids.uuid7(1001, 0)
    assert first < second
    assert first[6] >> 4 == 7
    assert first[8] >> 6 == 0b10
    assert ids.parse(ids.text(first)) == first
    assert len({hashlib.sha256(ids.uuid7(1, n)).digest() for n in range(1000)}) == 1000
