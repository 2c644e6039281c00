from __future__ import annotations

from pathlib import Path

import pytest

from nodes.dream_consolidator import settings as configuration
from nodes.dream_consolidator.dream import Candidate, choose, teacher_of, verdict
from nodes.dream_consolidator.job import Job, JobFolder, Outcome
from nodes.dream_consolidator.journal import Journal
from nodes.dream_consolidator.selection.select import Lesson, Material, Question
from nodes.dream_consolidator.validation.trial import Manner, Trial
from nodes.model_worker.levels import Level
from protocol.errors import ConfigError, SealError
from protocol.messages.dream import Adapter, DreamCompleted
from protocol.messages.model import ChatMessage
from runtime.sealing import Sealer

SETTINGS = configuration.load()
MESSAGES = (ChatMessage(role="user", content="q"),)


def material(lessons: int, questions: int) -> Material:
    return Material(
        lessons=tuple(
            Lesson(ident=str(number), messages=MESSAGES, answer="", source="teacher") for number in range(lessons)
        ),
        development=(),
        held_out=tuple(Question(ident=str(number), messages=MESSAGES) for number in range(questions)),
    )


def candidate(
    level: str, *, lessons: int = 50, questions: int = 50, not_due: str = "", dreamt_ns: int = 0
) -> Candidate:
    return Candidate(level=level, material=material(lessons, questions), fresh=50, dreamt_ns=dreamt_ns, not_due=not_due)


def trial(stratum: str, before: bool) -> Trial:
    """Right afterwards, whatever it was before; what was wrong before is what was taught."""
    manner = Manner(tokens=4, repeated=0.0, finished=True, confidence=0.9)
    return Trial(
        stratum=stratum,
        target=not before,
        before=before,
        after=True,
        judge="v",
        before_manner=manner,
        after_manner=manner,
    )


def outcome(**changes: object) -> Outcome:
    told = {
        "trials": [*[trial("learned", False)] * 20, *[trial("known", True)] * 200],
        "base_version": "b",
        "taught": 30,
        "rehearsed": 10,
        "refuted": 0,
        "too_long": 0,
        "distribution": True,
        "steps": 100,
        "best_step": 80,
        "parameters": 1000,
        **changes,
    }
    return Outcome(**told)


def job(dream: str) -> Job:
    level = Level(name="sensory", model="/models/small", context=64, max_new_tokens=8)
    return Job(
        dream=dream,
        student=level,
        teacher=level,
        champion=Adapter(level="sensory"),
        settings=SETTINGS,
        seed=1,
        material_ns=5,
        examples=3,
    )


def test_the_level_that_waited_longest_dreams() -> None:
    chosen, _ = choose(
        [candidate("sensory", dreamt_ns=9), candidate("tactical", dreamt_ns=3), candidate("x", lessons=0)],
        SETTINGS.dream,
    )
    assert chosen is not None
    assert chosen.level == "tactical"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"lessons": 23}, "sensory: 23 of 24 lessons"),
        ({"questions": 9}, "sensory: 9 of 10 questions that would judge it"),
        ({"not_due": "it dreamt 2h ago", "lessons": 0}, "sensory: it dreamt 2h ago"),
    ],
)
def test_too_little_to_learn_from_is_no_dream_and_says_what_is_missing(changes: dict[str, int], why: str) -> None:
    assert choose([candidate("sensory", **changes)], SETTINGS.dream) == (None, why)


def test_without_models_there_is_no_dream() -> None:
    chosen, why = choose([], SETTINGS.dream)
    assert chosen is None
    assert "on this machine" in why


def test_the_teacher_is_the_next_larger_level_that_is_here() -> None:
    levels = ["sensory", "tactical", "specialized"]
    assert teacher_of("sensory", levels, levels) == "specialized"
    assert teacher_of("sensory", levels, ["sensory", "tactical"]) == "tactical"
    assert teacher_of("specialized", levels, levels) == ""
    assert teacher_of("unknown", levels, levels) == ""


def test_the_verdict_says_what_was_learned_from_what() -> None:
    ruling = verdict(outcome(refuted=2), SETTINGS)
    assert ruling.promoted
    assert ruling.why.endswith(
        "learned the teacher's distribution from 30 lessons with 10 of rehearsal, step 80 of 100 kept; "
        "left out: 2 refuted, 0 too long"
    )


def test_without_an_answer_that_holds_nothing_changes() -> None:
    ruling = verdict(outcome(taught=0, refuted=7, trials=[]), SETTINGS)
    assert (ruling.promoted, ruling.why) == (False, "the teacher had no answer that holds (7 refuted)")
    assert not verdict(None, SETTINGS).promoted


def test_the_journal_remembers_the_last_dream_and_what_each_level_has_read(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    assert (journal.last(), journal.material_ns("sensory")) == (None, 0)
    first = DreamCompleted(dream="d1", level="sensory", promoted=True, why="better")
    second = DreamCompleted(dream="d2", level="tactical", promoted=False, why="not better")
    journal.write(first, 10, 20)
    journal.write(second, 30, 40)
    journal.write(second, 30, 40)
    assert journal.last() == second
    assert (journal.material_ns("sensory"), journal.material_ns("tactical")) == (10, 30)
    refused = DreamCompleted(dream="d3", level="sensory", promoted=False, why="not shown", p_value=0.3)
    better = DreamCompleted(dream="d4", level="sensory", promoted=True, why="better", p_value=1e-6)
    for number, tested in enumerate((refused, better)):
        journal.write(tested, 50, 60 + number)
    assert journal.tested("sensory", before="d5") == [False, True], "one that nothing could be judged of was no test"
    assert journal.tested("sensory", before="d4") == [False], "a verdict repeated after a crash does not count itself"
    journal.close()


def test_a_dreams_folder_outlives_its_process_and_one_never_begun_is_removed(tmp_path: Path) -> None:
    sealer = Sealer(b"s" * 32, "dream")
    root = tmp_path / "jobs"
    root.mkdir(mode=0o700)
    (root / "0-never-begun").mkdir()
    made = JobFolder.create(root, job("d1"), material(2, 1), sealer)
    found = JobFolder.unfinished(root, sealer)
    assert found is not None
    assert (found.job(), found.material()) == (made.job(), material(2, 1))
    assert not (root / "0-never-begun").exists()
    assert (found.begin_leg(), found.begin_leg()) == ("d1/1", "d1/2")
    assert found.outcome() is None
    found.finish(outcome())
    assert found.outcome() == outcome()
    found.remove()
    assert JobFolder.unfinished(root, sealer) is None


def test_what_is_sealed_for_one_dream_does_not_open_in_another(tmp_path: Path) -> None:
    sealer = Sealer(b"s" * 32, "dream")
    root = tmp_path / "jobs"
    root.mkdir(mode=0o700)
    one, other = (JobFolder.create(root, job(name), material(1, 1), sealer) for name in ("d1", "d2"))
    (other.path / "material.sealed").write_bytes((one.path / "material.sealed").read_bytes())
    with pytest.raises(SealError):
        other.material()
    assert one.unseal("nothing", dict[str, str]) is None


def test_a_broken_job_is_named(tmp_path: Path) -> None:
    root = tmp_path / "jobs"
    root.mkdir(mode=0o700)
    folder = JobFolder.create(root, job("d1"), material(1, 1), Sealer(b"s" * 32, "dream"))
    (folder.path / "job.json").write_text("{}")
    with pytest.raises(ConfigError, match="is no dream"):
        folder.job()


def test_the_settings_that_ship_are_whole_and_refuse_a_split_that_leaves_nothing(tmp_path: Path) -> None:
    text = Path(configuration.paths.shipped("configs/dream.yaml")).read_text()
    file = tmp_path / "dream.yaml"
    file.write_text(text.replace("held_out: 0.3", "held_out: 0.9"))
    with pytest.raises(ConfigError, match="leave nothing to learn from"):
        configuration.load(file)
