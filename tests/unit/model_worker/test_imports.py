import subprocess
import sys

import pytest

LIGHT = ["levels", "fits", "folder", "host", "text", "rendering", "errors", "kv.history", "kv.answers"]


@pytest.mark.parametrize("module", [",".join(LIGHT)])
def test_what_does_not_compute_does_not_import_torch(module: str) -> None:
    names = ", ".join(f"nodes.model_worker.{name}" for name in module.split(","))
    code = f"import sys, {names}; print(sorted({{'torch', 'transformers', 'numpy', 'tokenizers'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
