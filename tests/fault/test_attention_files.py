"""Whenever its writer is killed, what was kept of a conversation is whole, and nothing wrong is ever read."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nodes.model_worker.kv.chunkfile import Keys
from nodes.model_worker.kv.manifest import Manifest
from nodes.model_worker.kv.vault import Vault
from runtime.identity import HostIdentity
from tests.fabric import ROOT
from tests.fault.attention_writer import FINGERPRINT, MODEL, NAME, ids, layers


def killed_while_writing(directory: Path, chance: random.Random) -> int:
    """The last turn that the writer said it had kept, -1 for none, before it was killed at some moment."""
    writer = subprocess.Popen(
        [sys.executable, "-m", "tests.fault.attention_writer", str(directory)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    assert writer.stdout is not None
    said = [writer.stdout.readline()]
    assert said[0], "it ended by itself"
    time.sleep(chance.uniform(0, 0.05))
    writer.kill()
    said += writer.stdout.readlines()
    writer.wait()
    writer.stdout.close()
    return int([line for line in said if line.endswith("\n")][-1])


@pytest.mark.parametrize("kills", [10, pytest.param(50, marks=pytest.mark.slow)])
def test_a_writer_killed_at_any_moment_loses_at_most_the_turn_it_was_writing(tmp_path: Path, kills: int) -> None:
    chance = random.Random(kills)
    keys = Keys(HostIdentity.load(tmp_path))
    for _ in range(kills):
        last = killed_while_writing(tmp_path, chance)
        vault = Vault(tmp_path / "attention", keys, budget=1 << 30)
        kept = vault.read_session(MODEL, NAME)
        assert isinstance(kept, Manifest)
        assert last + 1 <= len(kept.line) <= last + 2
        for number, chunk in enumerate(kept.line):
            assert vault.read_chunk(chunk.address, FINGERPRINT).layers == layers(number)
            assert chunk.ids == ids(number)
        for path in vault.chunk_files():
            vault.check_chunk(path)
        assert not vault.quarantine_reasons
        assert not list(tmp_path.rglob(".*.kv*")), "what was half written is swept up"
        vault.close()
