import msgspec
import pytest

from nodes.trust_ledger import r7
from nodes.trust_ledger.config import Weights
from nodes.trust_ledger.derived import decode
from nodes.trust_ledger.reputation import Place, Rules, gained, routine
from nodes.trust_ledger.tensors import Standing
from protocol.messages.action import Action
from protocol.messages.trust import Outcome
from tests.unit.trust_ledger.told import outcome

RULES = Rules(weights=Weights(sources={"cascade": 0.5}))
PLACE = Place("lct:model:v:00", "sensory", "stable")


def other_than(field: msgspec.structs.FieldInfo) -> object:
    """Some value of the field's type that is not its default."""
    return {str: "said", float: 0.25, int: 7, bytes: b"\x00\xff", bool: not field.default}[field.type]


def whole() -> Outcome:
    """Every field says something, also those that were added since this was written."""
    return Outcome(**{field.name: other_than(field) for field in msgspec.structs.fields(Outcome)})


def action(told: Outcome) -> Action:
    reputation = None
    if not routine(told, RULES):
        reputation, _ = gained(told, PLACE, Standing(), 1, 0, RULES, ["lct:node:dialogue:00"])
    return r7.action(
        told, subject=PLACE.subject, by="lct:host:h:00", nonce=b"n" * 16, rules="r" * 64, reputation=reputation
    )


@pytest.mark.parametrize("told", [whole(), outcome(1), outcome(1, source="confidence")])
def test_an_outcome_becomes_an_action_and_comes_back_whole(told: Outcome):
    said = action(told)
    assert r7.outcome_of(said) == told
    written = msgspec.json.encode(said)
    assert decode("r7", written) == said
    assert r7.outcome_of(decode("r7", written)) == told


def test_only_what_is_judged_or_breaks_a_rule_is_consequential():
    assert routine(outcome(1, source="confidence"), RULES)
    for source in ("arithmetic", "user", "cascade", "correction"):
        assert not routine(outcome(1, source=source), RULES)
    assert not routine(outcome(1, source="confidence", breach="spoke on"), RULES)


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (outcome(1, context="novel"), "novel success"),
        (outcome(1), "success"),
        (outcome(1, score=0.0, confidence=0.2), "expected failure"),
        (outcome(1, score=0.0, confidence=0.9), "unexpected failure"),
        (outcome(1, score=0.7), "graded"),
        (outcome(1, breach="it went on past its deadline"), "breach"),
    ],
)
def test_the_kind_of_an_outcome_is_told_with_its_reason(told: Outcome, kind: str):
    reputation, _ = gained(told, PLACE, Standing(), 1, 0, RULES, [])
    assert reputation.outcome == kind
    assert f"{told.score:.2f}" in reputation.reason
    assert told.breach in reputation.reason


def test_what_it_cost_against_what_was_staked_is_what_it_is_worth():
    def valuation(**other: float) -> float:
        return gained(outcome(1, **other), PLACE, Standing(), 1, 0, RULES, [])[0].v3_to.valuation

    assert valuation() == valuation(stake=2.0) == valuation(stake=2.0, atp=1.0) == pytest.approx(0.75)
    assert valuation(stake=1.0, atp=2.0) == pytest.approx(0.5)


def test_the_factors_are_the_weight_of_the_judge_and_the_repetition():
    first, standing = gained(outcome(1, source="cascade"), PLACE, Standing(), 1, 0, RULES, [])
    second, _ = gained(outcome(2, source="cascade"), PLACE, standing, 2, 0, RULES, [])
    assert first.factors == {"judge": 0.5, "repetition": 1.0}
    assert second.factors == {"judge": 0.5, "repetition": 0.8}
    assert second.t3_from == first.t3_to


def test_an_action_in_words_names_every_part_of_it():
    words = "\n".join(r7.in_words(action(outcome(1, stake=2.0, delivered=False)), 0))
    for part in ("R7 of 1970", "rules", "role", "request", "reference", "resource", "result", "reputation"):
        assert part in words
    assert "training 0.5000 → 0.5075" in words
    assert "not delivered whole" in words
    routinely = "\n".join(r7.in_words(action(outcome(1, source="confidence")), 0))
    assert routinely.startswith("R6")
    assert "nothing is learned of whoever acted" in routinely
