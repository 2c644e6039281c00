from pathlib import Path

from nodes.model_worker.host import available_memory, total_memory

MEMINFO = "MemTotal:       2000 kB\nMemAvailable:   1000 kB\nHugePages_Total:       0\n"


def machine(tmp_path: Path, limit: str | None, used: str = "0") -> tuple[Path, Path]:
    proc = tmp_path / "meminfo"
    proc.write_text(MEMINFO)
    if limit is not None:
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        (tmp_path / "memory.current").write_text(f"{used}\n")
    return proc, tmp_path


def test_without_a_control_group_the_machine_counts(tmp_path: Path) -> None:
    assert available_memory(*machine(tmp_path, None)) == 1000 * 1024
    assert total_memory(*machine(tmp_path, "max")) == 2000 * 1024


def test_a_control_group_that_leaves_less_counts(tmp_path: Path) -> None:
    where = machine(tmp_path, "500000", "100000")
    assert available_memory(*where) == 400_000
    assert total_memory(*where) == 500_000


def test_a_group_over_its_limit_leaves_nothing(tmp_path: Path) -> None:
    assert available_memory(*machine(tmp_path, "100", "200")) == 0
