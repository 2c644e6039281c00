"""The node stays light: what training needs is imported by the training process alone."""

from __future__ import annotations

import subprocess
import sys


def test_the_node_and_the_command_import_nothing_heavy() -> None:
    heavy = "{'torch', 'transformers', 'numpy', 'safetensors', 'sqlite3', 'cryptography', 'experiments'}"
    code = (
        "import sys, nodes.dream_consolidator.node, nodes.dream_consolidator.commands\n"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
