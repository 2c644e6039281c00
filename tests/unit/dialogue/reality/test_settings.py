"""A configuration in which something could never happen is refused, by the name of the rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from nodes.dialogue.reality import settings
from nodes.dialogue.reality.settings import RealityConfig
from protocol.errors import ConfigError

LEVELS = """levels:
  sensory: {threshold: 0.3, bar: 0.7}
  environment: {threshold: 0.5, bar: 0.82}
  context: {threshold: 0.6, bar: 0.88}
"""


def test_what_ships_is_what_the_glossary_says() -> None:
    assert settings.load() == RealityConfig()
    assert [rule.threshold for rule in settings.load().levels.values()] == [0.3, 0.5, 0.6, 0.7]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("bands: {verify: 0.6, rebuild: 0.3}", "bands-in-order"),
        ("bands: {verify: 0.3, rebuild: 1.0}", "bands-in-order"),
        ("confidence: {limit: 0.9}", "bar-attainable: abstract"),
        (f"{LEVELS}  abstract: {{threshold: 0.95, bar: 0.96}}", "verify-reachable: at level abstract"),
        (f"{LEVELS}  abstract: {{threshold: 0.7, bar: 0.85}}", "rebuild-reachable: at level abstract"),
        ("centrality: {leaf: 0.5}", "reachable"),
        ("bands: {rebuild: 0.95}", "rebuild-reachable: at level sensory"),
        (LEVELS, "nothing about abstract"),
        ("answer: false", "answers"),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_refused_by_name(tmp_path: Path, text: str, rule: str) -> None:
    file = tmp_path / "reality.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=rule) as error:
        settings.load(str(file))
    assert "reality.yaml" in str(error.value)
