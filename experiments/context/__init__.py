"""The sense of context on trial: labelled dialogues, hand-written traps, and the rules of the forerunner beside it."""
