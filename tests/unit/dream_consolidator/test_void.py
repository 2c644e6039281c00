"""A dream that was begun under settings that this program does not read is begun anew, and that is said."""

from __future__ import annotations

from pathlib import Path

import msgspec

from nodes.dream_consolidator.dream import Dreamer
from nodes.dream_consolidator.job import PURPOSE, JobFolder
from runtime.sealing import Sealer


def test_a_dream_begun_under_other_settings_is_removed_and_named_and_others_stay(
    tmp_path: Path, dreamer: Dreamer, unfinished: JobFolder
) -> None:
    sealer, jobs = Sealer.load(tmp_path, PURPOSE), tmp_path / "dream" / "jobs"
    assert dreamer.void == {}
    job = msgspec.json.decode((unfinished.path / "job.json").read_bytes())
    del job["settings"]["train"]["way"]
    older = jobs / "d0"
    older.mkdir(mode=0o700)
    (older / "job.json").write_bytes(msgspec.json.encode(job))
    (older / "material.sealed").write_bytes(b"x")
    void = JobFolder.remove_void(jobs, sealer)
    assert list(void) == ["d0"]
    assert "way" in void["d0"]
    assert not older.exists()
    assert JobFolder.remove_void(jobs, sealer) == {}
    found = JobFolder.unfinished(jobs, sealer)
    assert found is not None
    assert found.path == unfinished.path
