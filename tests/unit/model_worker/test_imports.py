import subprocess
import sys

LIGHT = [
    *("levels", "fits", "folder", "host", "learned", "text", "rendering", "errors", "residency", "worker", "node"),
    *("kv.history", "kv.answers", "kv.exactness", "kv.worth", "kv.tree"),
    *("kv.codecs.lossless", "kv.chunkfile", "kv.manifest", "kv.index", "kv.vault", "kv.bundle", "kv.hot", "commands"),
    *("memory", "shorten", "confidence", "remote"),
]


def test_what_does_not_compute_does_not_import_torch() -> None:
    names = ", ".join(f"nodes.model_worker.{name}" for name in LIGHT)
    heavy = {"torch", "transformers", "numpy", "tokenizers", "huggingface_hub"}
    code = f"import sys, {names}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
