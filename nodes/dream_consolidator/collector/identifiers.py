"""What names a person or opens a door, found in text: the kinds that `collect.redact.kinds` may name.

A kind is a wide expression for RE2, which takes time linear in the text, and a check of what it found: a sum of check
digits, an address that parses. A check is given the text and the place, and says how much of it to take.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import NamedTuple

Check = Callable[[str, int, int], int]
"""The text and where a candidate begins and ends → where what is meant ends; 0 if it is not that."""


class Kind(NamedTuple):
    """Where the expression has a group, the group alone is meant."""

    pattern: str
    check: Check
    same: Callable[[str], str] = str.casefold
    """What two spellings of the same have in common."""
    needs: frozenset[str] = frozenset()
    """Characters without any of which a text holds none; empty: unknown."""


_DIGITS = frozenset("0123456789")
_IBAN_COUNTRIES = {
    15: "NO",
    16: "BE",
    18: "DK FI FO GL NL SD",
    19: "MK SI",
    20: "AT BA EE KZ LT LU XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK SA SE SK TN VG RO",
    25: "LY PT ST",
    26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HU LB NI PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU YE",
    31: "MT SC",
    32: "LC",
    33: "RU",
}
"""Length of an account number → who has such (SWIFT's IBAN registry)."""
_IBAN_LENGTHS = {country: length for length, countries in _IBAN_COUNTRIES.items() for country in countries.split()}


def whole(text: str, begin: int, end: int) -> int:
    """The check of what needs none."""
    return end


def _phone(text: str, begin: int, end: int) -> int:
    """International after `+` or `00`, national after `0`, or the North American 3-3-4; no date, no row of sums."""
    found = text[begin:end]
    groups = [len(group) for group in "".join(c if c.isdecimal() else " " for c in found).split()]
    digits = _digits(found)
    if _joined(text, begin, end) or not 7 <= len(digits) <= 15:
        return 0
    if "+" in found:
        return end
    if digits[0] == "0":
        national = groups[0] > 1 and (len(groups) <= 3 or len(digits) > 8) and sorted(groups) != [2, 2, 4]
        return end if national or "(" in found else 0
    return end if groups[-3:] == [3, 3, 4] and groups[:-3] in ([], [1]) and set(found) & set("-.(") else 0


def _card(text: str, begin: int, end: int) -> int:
    """13 to 19 digits that satisfy Luhn (ISO/IEC 7812-1, annex B)."""
    digits = _digits(text[begin:end])
    if _joined(text, begin, end) or not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return 0
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return end if sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0 else 0


def _iban(text: str, begin: int, end: int) -> int:
    """As long as its country says, and its check digits hold (ISO 13616: the remainder by 97 is 1)."""
    length = _IBAN_LENGTHS.get(text[begin : begin + 2].upper(), 0)
    places = [place for place in range(begin, end) if text[place] != " "][:length]
    if not length or len(places) < length or _joined(text, begin, places[-1] + 1):
        return 0
    account = "".join(text[place] for place in places)
    number = int("".join(str(int(character, 36)) for character in account[4:] + account[:4]))
    return places[-1] + 1 if number % 97 == 1 else 0


def _ip(text: str, begin: int, end: int) -> int:
    """An address of version 4 or 6 that parses. `::` between words of code is none: an address has a digit."""
    found = text[begin:end]
    if _joined(text, begin, end) or not any(character.isdigit() for character in found):
        return 0
    try:
        ipaddress.ip_address(found)
    except ValueError:
        return 0
    return end


def _joined(text: str, begin: int, end: int) -> bool:
    """Whether a longer word or number goes on at either side."""
    before, after = text[max(0, begin - 2) : begin], text[end : end + 2]
    return _word(before[-1:]) or _word(after[:1]) or _point(before[::-1]) or _point(after)


def _word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _point(beside: str) -> bool:
    """A point or colon with a digit behind it, seen from the number."""
    return len(beside) == 2 and beside[0] in ".:" and beside[1].isdecimal()


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdecimal())


def _bare(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


KINDS: dict[str, Kind] = {
    "credentials": Kind(
        r"(?i)(?:\b[a-z][a-z0-9+.-]*://([^\s/@?#]+:[^\s/@?#]*)@"
        r"|[?&](?:access_token|api_?key|auth|key|pass(?:word|wd)?|secret|sig(?:nature)?|token)=([^\s&#]+))",
        whole,
        str,
        frozenset("@="),
    ),
    "email": Kind(
        r"(?i)[\p{L}\p{N}._%+'-]*[\p{L}\p{N}_%+-]@(?:[\p{L}\p{N}-]+\.)+\p{L}{2,}", whole, needs=frozenset("@")
    ),
    "iban": Kind(r"(?i)[a-z]{2}[0-9]{2}(?: ?[a-z0-9]{4}){2,7}(?: ?[a-z0-9]{1,3})?", _iban, _bare, _DIGITS),
    "card": Kind(r"[0-9](?:[ -]?[0-9]){12,18}", _card, _digits, _DIGITS),
    "ip": Kind(
        r"(?i)(?:[0-9a-f]{0,4}:){2,7}(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9a-f]{0,4})|[0-9]{1,3}(?:\.[0-9]{1,3}){3}",
        _ip,
        needs=_DIGITS,
    ),
    "phone": Kind(r"(?:\+|\(\+?)?[0-9](?:[ ()/.-]{0,2}[0-9]){6,14}", _phone, _digits, _DIGITS),
}
