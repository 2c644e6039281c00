"""What is answered at once: phrases that are the whole of what was said, and answers with live values in them.

| module | |
|---|---|
| `words` | what was said as words, and what is no plain sentence |
| `slots` | places in a phrase: numbers, word lists, times of day |
| `phrases` | phrases as a tree: whole sentences only, found in microseconds |
| `live` | what an answer may name that is known only now: time, battery, state |
| `pattern` | a pattern and the file of patterns, each proved by its examples |
| `force` | the patterns in force: read again when the file changes, the old ones kept where the new are broken |
| `learning` | when a question that is always answered alike may become a pattern |
| `evidence` | what was answered how often, sealed |
| `accepted` | patterns that were learned and accepted, each in a sealed file of its own |
| `rules` | how much has to be shown, as the file says it |
| `learner` | evidence, proposals and decisions beside the node's event loop |
"""

from nodes.dialogue.patterns.live import LiveValues
from nodes.dialogue.patterns.pattern import SHIPPED, Match, Pattern, PatternFile, Patterns, load, phrases, sentences
from nodes.dialogue.patterns.words import normalised

__all__ = [
    "SHIPPED",
    "LiveValues",
    "Match",
    "Pattern",
    "PatternFile",
    "Patterns",
    "load",
    "normalised",
    "phrases",
    "sentences",
]
