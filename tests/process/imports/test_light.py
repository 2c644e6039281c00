"""Processes that load no model stay light. Seconds are no matter for a test; memory and what was imported are."""

import json
import subprocess
import sys

import pytest

from runtime import plugins

LIMIT_BYTES = 60 << 20
HEAVY = {"torch", "transformers", "onnxruntime", "pocketsphinx"}
PROGRAM = """
import importlib, json, sys
importlib.import_module(sys.argv[1])
from runtime.vitals import resident_bytes
print(json.dumps({"bytes": resident_bytes(), "modules": sorted({name.split(".")[0] for name in sys.modules})}))
"""
NODES = ["runtime.hub.__main__", "runtime.supervisor.supervisor", "runtime.cli", "runtime.client"]
NODES += [f"nodes.{name}.node" for name in plugins.names("sage.nodes")]


@pytest.mark.parametrize("module", sorted(set(NODES)))
def test_importing_a_process_takes_little_memory_and_no_model_library(module):
    done = subprocess.run([sys.executable, "-c", PROGRAM, module], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert HEAVY.isdisjoint(found["modules"])
    assert found["bytes"] < LIMIT_BYTES
