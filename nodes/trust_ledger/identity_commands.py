"""`sage trust user | identities | witness | revoke`: who is known here, and who signs what they saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nodes.trust_ledger.asking import ask
from runtime import console

if TYPE_CHECKING:
    from protocol.lct import Lct
    from protocol.messages.trust import EntryExplained, Identities, Written

SEEN = "I saw this"


@click.command()
@click.argument("name")
@console.common(timeout=10)
def user(name: str, as_json: bool, timeout: float) -> None:
    """Make a key file for the user NAME, if there is none, and make NAME known to the ledger.

    Whoever holds the file, users/NAME.key in the state directory, may witness what is written down. Nothing ever waits
    for a witness.
    """
    from nodes.trust_ledger import users
    from protocol.messages.trust import Introduce
    from runtime.clock import Clock
    from runtime.paths import state_dir

    directory = state_dir()
    made = users.make(directory, name, Clock().wall_ns())
    file = users.key_file(directory, name)
    written: Written = ask(timeout, Introduce(lct=made.lct))
    if as_json:
        console.show_json({"file": str(file), "lct": made.lct, "entry": written.entry})
        return
    click.echo(f"{made.lct.id}\n  key file  {file}\n  entry     {written.entry}")


@click.command()
@click.argument("subject", default="")
@console.common(timeout=10)
def identities(subject: str, as_json: bool, timeout: float) -> None:
    """List hosts, nodes, users, model versions and adapters that are known here. SUBJECT: a part of an LCT id."""
    from protocol.messages.trust import IdentitiesRequest

    known: Identities = ask(timeout, IdentitiesRequest(subject=subject))
    if as_json:
        for lct in known.identities:
            console.show_json(lct)
        return
    header = ("identity", "comes from", "attested by", "")
    click.echo(console.table([_row(lct) for lct in known.identities], header=header))
    if known.left_out:
        click.echo(f"and {known.left_out} more; name a subject")


@click.command()
@click.argument("entry")
@click.option("--as", "name", required=True, help="The user who signs: see `sage trust user`.")
@click.option("--say", default=SEEN, show_default=True, help="What is signed.")
@console.common(timeout=10)
def witness(entry: str, name: str, say: str, as_json: bool, timeout: float) -> None:
    """Sign that one saw ENTRY (a number, a key, an exchange), or vouch for an identity (an LCT id)."""
    from nodes.trust_ledger import users
    from nodes.trust_ledger.identities import attestation
    from protocol.lct import entry_subject
    from protocol.messages.trust import ExplainEntry, Introduce, Witness
    from runtime.clock import Clock
    from runtime.paths import state_dir

    signer = users.load(state_dir(), name)
    subject = seen = entry
    if not entry.startswith("lct:"):
        explained: EntryExplained = ask(timeout, ExplainEntry(entry=entry))
        subject, seen = entry_subject(explained.entry, explained.digest), f"entry {explained.entry}"
    stated = attestation(signer, subject, say, Clock().wall_ns())
    written: Written = ask(timeout, Introduce(lct=signer.lct), Witness(subject=subject, attestation=stated))
    if as_json:
        console.show_json({"subject": subject, "entry": written.entry, "repeated": written.repeated})
    elif written.repeated:
        click.echo(f"{name} is a witness of {seen} already, by entry {written.entry}")
    else:
        click.echo(f"{name} is a witness of {seen}, by entry {written.entry}")


@click.command()
@click.argument("subject")
@click.option("--reason", default="", help="Why; it is written down.")
@console.common(timeout=10)
def revoke(subject: str, reason: str, as_json: bool, timeout: float) -> None:
    """Have this host no longer stand for the identity SUBJECT, an LCT id. What it did stays written down."""
    from protocol.messages.trust import Revoke

    written: Written = ask(timeout, Revoke(subject=subject, reason=reason))
    if as_json:
        console.show_json({"subject": subject, "entry": written.entry, "repeated": written.repeated})
    else:
        click.echo(f"{subject} is revoked{' already' if written.repeated else ''}, by entry {written.entry}")


def _row(lct: Lct) -> tuple[object, ...]:
    attested = ", ".join(sorted({one.by for one in lct.attestations}))
    return (lct.id, ", ".join(lct.lineage) or "-", attested, "revoked" if lct.revoked_ns is not None else "")
