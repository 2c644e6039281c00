"""One hub and one worker for the whole module: importing transformers is what these tests take their time for."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.fabric import Fabric, fabric
from tests.unit.model_worker import tiny

NODE = "nodes.model_worker.node"
WORKER = "model_worker/small"


def write_levels(folder: Path, model: Path) -> Path:
    """A levels file with one level, `small`, whose answers may be long enough to be interrupted."""
    file = folder / "levels.yaml"
    file.write_text(
        f"levels:\n  - {{name: small, model: {model}, dtype: float32, device: cpu, context: 8000,"
        " max_new_tokens: 12, prefill_chunk: 64, state: 8MiB}\n"
    )
    return file


@pytest.fixture(scope="module")
def levels_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("family")
    # No end-of-text id: an answer is as long as it is asked to be.
    return write_levels(folder, tiny.save(folder / "small", max_position_embeddings=8000, eos_token_id=None))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(levels_file: Path) -> AsyncIterator[Fabric]:
    async with fabric() as made:
        await made.node(NODE, WORKER, {"level": "small", "levels": str(levels_file)})
        yield made
