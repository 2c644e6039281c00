"""Who is known here proves it, and who witnesses signs it."""

import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from nodes.trust_ledger import users
from nodes.trust_ledger.identities import IdentityRefused, attestation, attested, bound
from nodes.trust_ledger.ledger import Ledger
from protocol.errors import ConfigError, NotPermitted, SealError
from protocol.lct import Lct, entry_subject
from protocol.messages.trust import Introduce, Revoke, Witness
from runtime.identity import HostIdentity
from tests.unit.trust_ledger.told import append, open_again, outcome, tell


@pytest.fixture
def ada(tmp_path: Path) -> users.User:
    return users.make(tmp_path, "ada", 5)


def refused(ledger: Ledger, what: object) -> str:
    (receipt,) = append(ledger, [what])
    assert isinstance(receipt.refused, IdentityRefused)
    return str(receipt.refused)


def witness(ledger: Ledger, signer: users.User, number: int, say: str = "seen") -> Witness:
    subject = entry_subject(number, ledger.find(str(number)).digest)
    return Witness(subject=subject, attestation=attestation(signer, subject, say, 6))


def test_a_user_signs_an_entry_which_is_an_entry_of_its_own(ledger: Ledger, ada: users.User):
    tell(ledger, 1)
    introduced, repeated = append(ledger, [Introduce(lct=ada.lct), Introduce(lct=ada.lct)])
    assert (introduced.repeated, repeated.repeated) == (False, True)
    first, again = append(ledger, [witness(ledger, ada, 4), witness(ledger, ada, 4)])
    assert (first.repeated, again.number) == (False, first.number)
    subject = entry_subject(4, ledger.find("4").digest)
    assert [one.by for one in ledger.witnesses(subject)] == [ada.lct.id]
    assert ledger.verify() == []


def test_a_user_vouches_for_an_identity(ledger: Ledger, ada: users.User):
    tell(ledger, 1)
    (model,) = [lct for lct in ledger.identities() if lct.subject.kind == "model"]
    stated = attestation(ada, model.id, "I trained it", 6)
    append(ledger, [Introduce(lct=ada.lct), Witness(subject=model.id, attestation=stated)])
    with closing(open_again(ledger)) as again:
        (vouched,) = [lct for lct in again.identities() if lct.subject.kind == "model"]
    assert stated in vouched.attestations
    assert ledger.verify() == []


FORGED: dict[str, Callable[[Ledger, users.User], Witness]] = {
    "did not sign": lambda ledger, ada: Witness(
        subject=(real := witness(ledger, ada, 4)).subject,
        attestation=msgspec.structs.replace(real.attestation, statement="something else"),
    ),
    "there is no entry 99": lambda ledger, ada: Witness(
        subject=(subject := entry_subject(99, bytes(32))), attestation=attestation(ada, subject, "seen", 6)
    ),
    "is another one": lambda ledger, ada: Witness(
        subject=(subject := entry_subject(4, bytes(32))), attestation=attestation(ada, subject, "seen", 6)
    ),
    "is not of the form": lambda ledger, ada: Witness(
        subject="entry:four:00", attestation=attestation(ada, "entry:four:00", "seen", 6)
    ),
    "is not of the form entry": lambda ledger, ada: Witness(
        subject=(subject := entry_subject(1 << 70, bytes(32))), attestation=attestation(ada, subject, "seen", 6)
    ),
    "is neither an entry nor known": lambda ledger, ada: Witness(
        subject="lct:model:x:00", attestation=attestation(ada, "lct:model:x:00", "seen", 6)
    ),
    "nobody is their own witness": lambda ledger, ada: Witness(
        subject=ada.lct.id, attestation=attestation(ada, ada.lct.id, "I am good", 6)
    ),
}


@pytest.mark.parametrize("why", FORGED)
def test_a_statement_that_does_not_prove_itself_is_refused(ledger: Ledger, ada: users.User, why: str):
    tell(ledger, 1)
    append(ledger, [Introduce(lct=ada.lct)])
    assert why in refused(ledger, FORGED[why](ledger, ada))
    assert ledger.count() == 5


def test_whoever_is_not_known_or_revoked_does_not_witness(ledger: Ledger, ada: users.User):
    tell(ledger, 1)
    assert "is not known here" in refused(ledger, witness(ledger, ada, 4))
    append(ledger, [Introduce(lct=ada.lct), Revoke(subject=ada.lct.id), Introduce(lct=ada.lct)])
    assert "is revoked" in refused(ledger, witness(ledger, ada, 4))
    assert ledger.verify() == []


def test_only_somebody_known_is_revoked_and_never_the_host_itself(ledger: Ledger):
    tell(ledger, 1)
    for subject in ("lct:user:nobody:00", ledger._identity.lct.id):
        (receipt,) = append(ledger, [Revoke(subject=subject)])
        assert receipt.refused is not None


def test_a_model_version_is_bound_by_the_host_that_runs_it(ledger: Ledger):
    tell(ledger, 1)
    (model,) = [lct for lct in ledger.identities() if lct.subject.kind == "model"]
    host = ledger._identity.lct
    assert (model.binding, model.policy) == (host.binding, {"bound_by": host.id})
    assert [one.by for one in model.attestations] == [host.id]


def changed(lct: Lct, **other: object) -> Lct:
    return msgspec.structs.replace(lct, **other)


IMPOSTORS: dict[str, Callable[[users.User, HostIdentity], Lct]] = {
    "its id is not made": lambda ada, host: changed(ada.lct, id="lct:user:bob:00"),
    "its record is not attested": lambda ada, host: changed(ada.lct, policy={"may": "everything"}),
    "did not sign": lambda ada, host: changed(
        ada.lct, attestations=[changed(ada.lct.attestations[0], signature=bytes(64))]
    ),
    "is bound by this host, and this one is not": lambda ada, host: bound(host, "model", "v", 5),
    "there are no identities of the kind": lambda ada, host: bound(host, "ghost", "v", 5),
}


@pytest.mark.parametrize("why", IMPOSTORS)
def test_a_record_that_does_not_prove_itself_is_refused(ledger: Ledger, ada: users.User, tmp_path: Path, why: str):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    stranger = HostIdentity.load(tmp_path / "elsewhere")
    assert why in refused(ledger, Introduce(lct=IMPOSTORS[why](ada, stranger)))
    assert ledger.count() == 0


def test_a_user_without_the_hosts_key_makes_no_model_known(ledger: Ledger, ada: users.User):
    host = ledger._identity.lct
    posed = changed(bound(ledger._identity, "model", "v2", 5), attestations=[], created_ns=6)
    assert "not attested" in refused(ledger, Introduce(lct=attested(posed, ada, 6)))
    assert host.binding == posed.binding


def test_another_host_may_be_made_known_and_witness(ledger: Ledger, tmp_path: Path):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    other = HostIdentity.load(tmp_path / "elsewhere")
    append(ledger, [outcome(1), Introduce(lct=attested(other.lct, other, 5))])
    (receipt,) = append(ledger, [witness(ledger, other, 4)])
    assert receipt.refused is None
    assert ledger.verify() == []


def test_a_key_file_is_its_owners_alone_and_made_once(tmp_path: Path):
    made = users.make(tmp_path, "ada", 5)
    file = users.key_file(tmp_path, "ada")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert users.make(tmp_path, "ada", 9).lct == made.lct
    file.chmod(0o644)
    with pytest.raises(NotPermitted, match="chmod 600"):
        users.load(tmp_path, "ada")
    file.chmod(0o600)
    file.write_bytes(b"{}")
    with pytest.raises(SealError, match="not a key file"):
        users.load(tmp_path, "ada")


@pytest.mark.parametrize("name", ["", "../ada", "a/b", "a b", "x" * 65, ".ada"])
def test_a_name_that_could_lead_elsewhere_is_refused(tmp_path: Path, name: str):
    with pytest.raises(ConfigError, match="no name for a user"):
        users.make(tmp_path, name, 5)


def test_a_user_that_is_not_there_is_named_with_the_remedy(tmp_path: Path):
    with pytest.raises(ConfigError, match="sage trust user bob"):
        users.load(tmp_path, "bob")
