import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from protocol.errors import NotPermitted, SealError
from protocol.lct import statement_bytes
from runtime.identity import KEY_FILE, HostIdentity, verify
from runtime.sealing import Sealer


def test_the_identity_is_made_once_however_many_ask(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: HostIdentity.load(tmp_path).lct.id, range(16)))
    assert len(set(made)) == 1
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_what_the_host_signs_holds_and_nothing_else_does(tmp_path):
    identity = HostIdentity.load(tmp_path)
    signature = identity.sign(b"message")
    identity.verify(b"message", signature)
    for message, forged in ((b"massage", signature), (b"message", signature[:-1] + b"x"), (b"message", b"")):
        with pytest.raises(SealError):
            identity.verify(message, forged)


def test_the_token_binds_the_host_to_its_key_by_its_own_signature(tmp_path):
    lct = HostIdentity.load(tmp_path).lct
    (own,) = lct.attestations
    verify(lct.binding, statement_bytes(lct.id, own.statement, own.wall_ns), own.signature)
    assert lct.id.startswith(f"lct:host:{lct.subject.name}:")


def test_a_key_file_that_others_may_read_is_refused_with_the_remedy(tmp_path):
    HostIdentity.load(tmp_path)
    (tmp_path / KEY_FILE).chmod(0o644)
    with pytest.raises(NotPermitted, match="chmod 600"):
        HostIdentity.load(tmp_path)


def test_a_damaged_key_file_is_named_and_left_alone(tmp_path):
    HostIdentity.load(tmp_path)
    (tmp_path / KEY_FILE).write_bytes(b"{")
    with pytest.raises(SealError, match="backup"):
        HostIdentity.load(tmp_path)
    assert (tmp_path / KEY_FILE).read_bytes() == b"{"


@pytest.mark.parametrize("change", [{"sealing": ""}, {"signing": "c2hvcnQ="}, {"version": 2}])
def test_a_key_file_with_secrets_of_another_size_or_version_is_refused(tmp_path, change):
    HostIdentity.load(tmp_path)
    file = tmp_path / KEY_FILE
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(SealError, match="not a key file"):
        HostIdentity.load(tmp_path)


def test_sealed_data_opens_in_its_place_alone(tmp_path):
    sealer = Sealer.load(tmp_path, "outbox")
    sealed = sealer.seal(b"what was said", b"row 1")
    assert sealer.open(sealed, b"row 1") == b"what was said"
    assert b"what was said" not in sealed
    assert Sealer.load(tmp_path, "outbox").open(sealed, b"row 1") == b"what was said"
    with pytest.raises(SealError, match="moved"):
        sealer.open(sealed, b"row 2")
    with pytest.raises(SealError):
        Sealer.load(tmp_path, "dreams").open(sealed, b"row 1")


@pytest.mark.parametrize("cut", [0, 1, 12, 28, -1])
def test_cut_or_changed_data_does_not_open(tmp_path, cut):
    sealer = Sealer.load(tmp_path, "outbox")
    sealed = sealer.seal(b"what was said", b"row 1")
    with pytest.raises(SealError):
        sealer.open(sealed[:cut], b"row 1")
    flipped = bytes([*sealed[:cut], sealed[cut] ^ 1, *sealed[len(sealed[:cut]) + 1 :]])
    with pytest.raises(SealError):
        sealer.open(flipped, b"row 1")


def test_the_same_words_are_never_sealed_alike(tmp_path):
    sealer = Sealer.load(tmp_path, "outbox")
    assert sealer.seal(b"yes", b"row 1") != sealer.seal(b"yes", b"row 1")
