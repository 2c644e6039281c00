from pathlib import Path
from typing import Any

import pytest

from nodes.model_worker.levels import Level


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.unit.model_worker import tiny

    return tiny.save(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def model() -> Any:
    from tests.unit.model_worker import tiny

    return tiny.model()


@pytest.fixture
def level(folder: Path) -> Level:
    return Level(
        name="sensory",
        model=str(folder),
        device="cpu",
        dtype="float32",
        context=400,
        max_new_tokens=12,
        prefill_chunk=16,
        state=1 << 20,
    )
