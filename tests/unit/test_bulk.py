import pytest

from protocol.bulk import BulkRef
from protocol.errors import BulkCorrupt, BulkMissing, Malformed
from runtime.bulk import BulkStore


@pytest.fixture
def store(tmp_path):
    return BulkStore(tmp_path)


def test_content_comes_back_by_its_reference_and_is_written_once(store):
    content = b"x" * 3_000_000
    first, again = store.put(content), store.put(content)
    assert first == again
    assert store.get(first) == content
    assert store.stats() == {"stored": 1, "known": 1, "corrupt": 0}
    assert store.path(first).stat().st_mode & 0o077 == 0


def test_a_changed_file_is_named_corrupt(store):
    reference = store.put(b"as it was")
    store.path(reference).write_bytes(b"as it is!")
    with pytest.raises(BulkCorrupt, match="not what the digest says"):
        store.get(reference)
    assert store.stats()["corrupt"] == 1


def test_an_unknown_digest_is_missing(store):
    with pytest.raises(BulkMissing):
        store.get(BulkRef(digest="0" * 64, size=1))


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "0" * 63, "G" * 64, "A" * 64])
def test_what_is_no_digest_never_becomes_a_path(store, digest):
    with pytest.raises(Malformed):
        store.get(BulkRef(digest=digest, size=1))
