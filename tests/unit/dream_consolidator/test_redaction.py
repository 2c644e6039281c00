from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.dream_consolidator.collector.examples import Example
from nodes.dream_consolidator.collector.redaction import Redact, Redactor, Rule, unnumbered
from protocol.messages.model import ChatMessage

ALL = Redactor(Redact())


def example(*contents: str, answer: str = "yes", ids: tuple[int, ...] = (1, 2)) -> Example:
    return Example(
        exchange="x",
        messages=tuple(ChatMessage(role="user", content=content) for content in contents),
        answer=answer,
        ids=ids,
        level="tactical",
        version="v",
        context="novel",
        cluster=0,
        salience=0.5,
        score=None,
        verifier="",
        confidence=0.5,
        received_ns=1,
    )


def cleaned(text: str, redactor: Redactor = ALL) -> str:
    return redactor.redacted(example(text)).example.question


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("write to Eva.Meier+home@mail.example.org.", "write to [email 1]."),
        ("schreib an jörg@bücher.example!", "schreib an [email 1]!"),
        ("my number is +49 170 1234567, call", "my number is [phone 1], call"),
        ("ring (030) 901820 now", "ring [phone 1] now"),
        ("ring 25 030 9018201", "ring 25 [phone 1]"),
        ("appelle 06 12 34 56 78", "appelle [phone 1]"),
        ("call (555) 123-4567 or 1-555-123-4568", "call [phone 1] or [phone 2]"),
        ("card 4111 1111 1111 1111 please", "card [card 1] please"),
        ("card 378282246310005", "card [card 1]"),
        ("to DE89 3704 0044 0532 0130 00 today", "to [iban 1] today"),
        ("to at611904300234573201 is good", "to [iban 1] is good"),
        ("to AT61 1904 3002 3457 3201 IS GOOD", "to [iban 1] IS GOOD"),
        ("ssh to 192.168.0.17.", "ssh to [ip 1]."),
        ("route fe80::1ff:fe23:4567:890a or ::1", "route [ip 1] or [ip 2]"),
        ("get https://eva:hunter2@example.org/a", "get https://[credentials 1]@example.org/a"),
        ("get https://example.org/?q=1&api_key=abc123&x=2", "get https://example.org/?q=1&api_key=[credentials 1]&x=2"),
    ],
)
def test_what_names_somebody_or_opens_a_door_is_taken_out(text: str, left: str) -> None:
    assert cleaned(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "what is 17 plus 25?",
        "sort 0 7 3 5 2 8 1 9 4 6",
        "add 100 200 3000",
        "it was on 2024-05-12 at 12:30:45, or on 01.02.2024",
        "card 4111 1111 1111 1112",
        "to DE88 3704 2044 1532 1130 10",
        "version 1.2.3.400, section 1.2.3.4.5",
        "std::vector, add::feed, 12:30",
        "pi is 3.1415926535897932",
        "0.0123456789 is small",
        "order X0301234567",
        "eva at example dot org",
        "",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert cleaned(text) == text


def test_the_same_address_gets_the_same_placeholder_all_through_the_exchange() -> None:
    found = ALL.redacted(
        example("a@x.org, not b@x.org", "and A@X.ORG? call 030/901820", answer="b@x.org at (030) 901820")
    )
    assert [message.content for message in found.example.messages] == [
        "[email 1], not [email 2]",
        "and [email 1]? call [phone 1]",
    ]
    assert found.example.answer == "[email 2] at [phone 1]"
    assert found.counts == {"email": 4, "phone": 2}


def test_token_ids_of_an_answer_that_changed_go_with_it_and_others_stay() -> None:
    assert ALL.redacted(example("hello", answer="ask a@x.org")).example.ids == ()
    assert ALL.redacted(example("a@x.org", answer="who?")).example.ids == (1, 2)


def badge(**changes: object) -> Rule:
    told = {"name": "badge", "pattern": r"\bB-([0-9]{5})\b", "hits": ("my B-12345",), "misses": ("B-1",), **changes}
    return msgspec.convert(told, Rule)


def test_a_rule_of_the_users_own_goes_first_and_takes_its_group() -> None:
    assert cleaned("badge B-12345 of b@x.org", Redactor(Redact(own=(badge(),)))) == "badge B-[badge 1] of [email 1]"
    named = badge(replacement="#####", pattern=r"[a-z]+@x\.org", hits=("b@x.org",), misses=("b@y.org",))
    assert cleaned("b@x.org, b@y.org", Redactor(Redact(own=(named,)))) == "#####, [email 1]"


def test_only_the_kinds_that_are_named_are_taken_out() -> None:
    assert cleaned("a@x.org at 192.168.0.17", Redactor(Redact(kinds=("ip",)))) == "a@x.org at [ip 1]"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"misses": ("B-12345",)}, "badge hits 'B-12345'"),
        ({"hits": ("B-1",)}, "badge misses 'B-1'"),
        ({"hits": ()}, "at least one text"),
        ({"pattern": "(?<=B-)[0-9]+"}, "none of RE2's"),
        ({"pattern": "[0-9]*"}, "finds nothing everywhere"),
        ({"pattern": "(B)-([0-9]{5})"}, "has 2 groups"),
        ({"name": "email"}, "none of a kind"),
        ({"name": "my badge"}, "lower-case"),
    ],
)
def test_a_rule_that_does_not_do_what_it_says_is_refused(changes: dict[str, object], why: str) -> None:
    with pytest.raises((ValueError, msgspec.ValidationError), match=why):
        badge(**changes)


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="named twice: badge"):
        Redact(own=(badge(), badge()))


def test_an_expression_that_backtracks_elsewhere_ends() -> None:
    rule = badge(pattern="(?:a+)+b", hits=("aab",), misses=("aaa",))
    text = "a" * 20_000
    assert cleaned(text, Redactor(Redact(own=(rule,)))) == text


@given(st.text(alphabet="ab1 05.:@-/+(DE89", max_size=60))
def test_what_was_cleaned_is_clean(text: str) -> None:
    once = cleaned(text)
    assert cleaned(once) == once


def test_placeholders_compare_without_their_numbers() -> None:
    assert unnumbered("ask [email 2] or [1]") == "ask [email] or [1]"
