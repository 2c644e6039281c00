from nodes.dream_consolidator.vouching import validation
from nodes.trust_ledger.table import VALIDATION, seed
from protocol.messages.dream import Adapter, DreamCompleted, SkillResult

ADAPTER = Adapter(level="sensory", digest="abc", dream="d1")


def completed(*results: tuple[int, float]) -> DreamCompleted:
    told = [
        SkillResult(name=str(at), questions=count, before=0.1, after=after) for at, (count, after) in enumerate(results)
    ]
    return DreamCompleted(dream="d1", level="sensory", promoted=True, why="", results=told)


def test_the_ledger_is_told_the_share_of_all_held_out_questions_that_went_right() -> None:
    told = validation(completed((30, 1.0), (10, 0.2)), ADAPTER)
    assert told is not None
    assert (told.score, told.count, told.source) == (0.8, 40, VALIDATION)
    assert told.version == seed("sensory", "abc").version
    assert told.exchange == "dream/d1"


def test_weights_that_nothing_was_asked_of_are_not_vouched_for() -> None:
    assert validation(completed(), ADAPTER) is None
