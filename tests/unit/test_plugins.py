import pytest

from protocol.errors import ConfigError
from protocol.messages.model import ChatMessage
from runtime import plugins
from runtime.verifiers import Verdict, judge, load_verifiers


def test_an_unknown_plugin_names_those_there_are():
    with pytest.raises(ConfigError, match=r"there are: .*reference"):
        plugins.load("sage.verifiers", "referense")


def test_the_first_verifier_that_knows_a_question_judges_it():
    class Knows:
        name = "knows"

        def verify(self, messages, answer):
            return Verdict(1.0, "any") if messages[-1].content == "known" else None

    class Never:
        name = "never"

        def verify(self, messages, answer):
            return None

    asked = [ChatMessage(role="user", content="known")]
    assert judge([Never(), Knows()], asked, "x") == ("knows", Verdict(1.0, "any"))
    assert judge([Never()], asked, "x") is None


def test_registered_verifiers_know_what_they_were_made_for():
    found = judge(load_verifiers(), [ChatMessage(role="user", content="what is 40 plus 2")], "40 + 2 = 42 .")
    assert found is not None
    assert found[1].score == 1.0
