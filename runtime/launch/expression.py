"""The language of `when`: comparisons of arguments, environment and host, joined by and, or, not.

    when: args.voice and host != "jetson"
    when: env.DISPLAY == null or args.family in ["reference", "qwen"]
    when: args.memory >= 8GiB

Values are text in quotes, numbers, numbers with a unit, true, false, null, lists, and names. Nothing is called and
nothing is evaluated by Python: the expression is read token by token, and compared with values of its own kind only.
"""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from runtime.conversion import suggest
from runtime.units import parse_duration, parse_size

MAX_LENGTH: Final = 400
MAX_DEPTH: Final = 20

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>"[^"]*"|'[^']*')
      | (?P<quantity>\d+(?:\.\d+)?[A-Za-z]+)
      | (?P<number>-?\d+(?:\.\d+)?)
      | (?P<name>[A-Za-z_][\w]*(?:\.[A-Za-z_]\w*)*)
      | (?P<sign>==|!=|<=|>=|<|>|\(|\)|\[|\]|,)
    )""",
    re.VERBOSE | re.ASCII,
)
_CONSTANTS: dict[str, Any] = {"true": True, "false": False, "null": None}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class ExpressionError(ValueError):
    """The expression cannot be read, or compares what cannot be compared."""


def evaluate(expression: str, names: Mapping[str, Any]) -> bool:
    """The truth of `expression` where `names` maps `args.x`, `host`, … to values. A name in `env.` may be unset."""
    if len(expression) > MAX_LENGTH:
        raise ExpressionError(f"is longer than {MAX_LENGTH} characters")
    reader = _Reader(_tokens(expression), names)
    value = reader.either(0)
    if reader.kind:
        raise ExpressionError(f"{reader.text!r} was not expected here")
    return _truth(value)


def _tokens(expression: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    position = 0
    rest = expression.rstrip()
    while position < len(rest):
        match = _TOKEN.match(rest, position)
        if match is None:
            raise ExpressionError(f"{rest[position:].strip()[:20]!r} cannot be read")
        found.append((str(match.lastgroup), match[str(match.lastgroup)]))
        position = match.end()
    return found


class _Reader:
    """Recursive descent, one token ahead. Both sides of `and` and `or` are always read, so a fault shows either way."""

    def __init__(self, tokens: list[tuple[str, str]], names: Mapping[str, Any]) -> None:
        self._tokens = iter(tokens)
        self._names = names
        self.kind, self.text = "", ""
        self._advance()

    def either(self, depth: int) -> Any:
        value = self._both(depth)
        while self._take("or"):
            right = self._both(depth)
            value = _truth(value) | _truth(right)
        return value

    def _both(self, depth: int) -> Any:
        value = self._negation(depth)
        while self._take("and"):
            right = self._negation(depth)
            value = _truth(value) & _truth(right)
        return value

    def _negation(self, depth: int) -> Any:
        negated = False
        decided = False
        while self._take("not"):
            negated, decided = not negated, True
        value = self._comparison(depth)
        return _truth(value) is not negated if decided else value

    def _comparison(self, depth: int) -> Any:
        left = self._value(depth)
        sign = self.text
        if self.kind == "sign" and sign in _COMPARE:
            self._advance()
            return _compare(sign, left, self._value(depth))
        if self._take("in"):
            right = self._value(depth)
            if not isinstance(right, list):
                raise ExpressionError(f"after 'in' a list was expected, not {right!r}")
            return any(_compare("==", left, member) for member in right)
        return left

    def _value(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise ExpressionError(f"is nested deeper than {MAX_DEPTH}")
        kind, text = self.kind, self.text
        if not kind:
            raise ExpressionError("ends too early")
        self._advance()
        if text == "(" and kind == "sign":
            value = self.either(depth + 1)
            self._expect(")")
            return value
        if text == "[" and kind == "sign":
            return self._list(depth + 1)
        return self._literal(kind, text)

    def _list(self, depth: int) -> list[Any]:
        values: list[Any] = []
        while not self._take("]"):
            if values:
                self._expect(",")
            values.append(self._value(depth))
        return values

    def _literal(self, kind: str, text: str) -> Any:
        if kind == "text":
            return text[1:-1]
        if kind == "number":
            return float(text) if "." in text else int(text)
        if kind == "quantity":
            return _quantity(text)
        if kind != "name" or text in ("and", "or", "in"):
            raise ExpressionError(f"a value was expected, not {text!r}")
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if text in self._names:
            return self._names[text]
        if text.startswith("env."):
            return None
        raise ExpressionError(f"there is no {text!r}{suggest(text, self._names)}; text stands in quotes")

    def _advance(self) -> None:
        self.kind, self.text = next(self._tokens, ("", ""))

    def _take(self, word: str) -> bool:
        if self.text == word and self.kind in ("name", "sign"):
            self._advance()
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise ExpressionError(f"{sign!r} was expected, not {self.text or 'the end'!r}")


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ExpressionError(f"{value!r} is neither true nor false; compare it with something")
    return value


def _compare(sign: str, left: Any, right: Any) -> bool:
    numbers = all(isinstance(side, (int, float)) and not isinstance(side, bool) for side in (left, right))
    alike = numbers or type(left) is type(right)
    if sign in ("==", "!=") and (alike or left is None or right is None):
        return _COMPARE[sign](left, right)
    if not alike or isinstance(left, (bool, list)) or left is None:
        raise ExpressionError(f"{left!r} {sign} {right!r} compares different kinds of values")
    return _COMPARE[sign](left, right)


def _quantity(text: str) -> float:
    for parse in (parse_duration, parse_size):
        try:
            return parse(text)
        except ValueError:
            continue
    raise ExpressionError(f"{text!r} is neither a duration nor a size")
