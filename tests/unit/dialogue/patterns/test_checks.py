"""`sage check` reads patterns as the node does."""

import json
from types import SimpleNamespace

from nodes.dialogue.patterns.checks import check_patterns, examine
from nodes.dialogue.patterns.pattern import read


def plan(module: str, **params: str) -> SimpleNamespace:
    process = SimpleNamespace(argv=["python", "-m", module], environment={"SAGE_PARAMS": json.dumps(params)})
    return SimpleNamespace(processes=[process])


def test_a_file_that_holds_says_how_much_was_tried() -> None:
    (finding,) = examine(read())
    assert finding.level == "note"
    assert "examples" in finding.message


def test_a_launch_with_broken_patterns_is_named_and_one_without_dialogue_is_not_looked_at(tmp_path) -> None:
    broken = tmp_path / "patterns.yaml"
    broken.write_text("patterns: [{name: a, phrases: [hi], answer: b, positive: [ho], negative: [hu]}]\n")
    (finding,) = check_patterns(plan("nodes.dialogue.node", patterns=str(broken)))
    assert finding.level == "error"
    assert "'ho'" in finding.message
    assert not list(check_patterns(plan("nodes.dialogue.node")))
    assert not list(check_patterns(plan("nodes.speaker.node", patterns=str(broken))))
