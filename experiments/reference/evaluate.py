"""How well a model answers held-out questions, skill by skill, with intervals and confidence."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.reference.curriculum import Question, questions
from experiments.reference.intervals import discrimination, wilson
from experiments.reference.skills import SKILLS, rows
from experiments.reference.split import Split
from experiments.reference.verifiers import right
from nodes.dialogue.calibration import calibration_error
from protocol.errors import ConfigError

if TYPE_CHECKING:
    import torch

LONGEST_ANSWER = 64
BATCH, BATCH_TOKENS = 250, 32_768
"""At most so many questions, and about so many tokens of prompt, go through the model together."""


@dataclass(frozen=True)
class Answer:
    """What a model said, greedily. `confidence` is the least probability it gave to one of its tokens."""

    text: str
    confidence: float


@dataclass(frozen=True)
class Figure:
    """One skill at one difficulty. `low` and `high` bound `share` with 95% confidence (Wilson)."""

    n: int
    share: float
    low: float
    high: float
    confidence: float
    """Mean confidence of all its answers."""


def evaluate(
    folder: Path, count: int, seed: int, report: Callable[[str], None], split: Split = Split.HELD_OUT
) -> dict[str, Any]:
    """Figures of the model in `folder`, from `count` questions a row. `report` is told each row."""
    model, tokenizer = load(folder)
    figures: dict[str, Figure] = {}
    confidences: list[float] = []
    hits: list[bool] = []
    for skill, difficulty in rows():
        asked = questions(split, skill, difficulty, seed, count)
        answers = ask(model, tokenizer, asked)
        good = [right(SKILLS[skill], answer.text, it.answer) for answer, it in zip(answers, asked, strict=True)]
        figures[f"{skill}/{difficulty}"] = figure(good, [answer.confidence for answer in answers])
        confidences += [answer.confidence for answer in answers]
        hits += good
        report(f"{skill}/{difficulty}")
    means = skill_means({name: it.share for name, it in figures.items()})
    return {
        "skills": {name: asdict(it) for name, it in figures.items()},
        "means": means,
        "mean": round(sum(means.values()) / len(means), 4),
        "calibration_error": round(calibration_error(confidences, hits), 4),
        "discrimination": _rounded(discrimination(confidences, hits)),
    }


def skill_means(shares: Mapping[str, float]) -> dict[str, float]:
    """For each skill the mean over its difficulties: so a skill counts once, however finely it is measured."""
    by_skill: dict[str, list[float]] = {}
    for row, share in shares.items():
        by_skill.setdefault(row.partition("/")[0], []).append(share)
    return {skill: round(sum(found) / len(found), 4) for skill, found in by_skill.items()}


def figure(good: Sequence[bool], confidences: Sequence[float]) -> Figure:
    low, high = wilson(sum(good), len(good))
    count = len(good)
    return Figure(count, round(sum(good) / count, 4), round(low, 4), round(high, 4), round(sum(confidences) / count, 4))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def load(folder: Path) -> tuple[Any, Any]:
    """Model and tokenizer from a Hugging Face folder, computing in float32 on one thread. ConfigError if it is none."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)
    try:
        return (
            AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval(),
            AutoTokenizer.from_pretrained(folder, local_files_only=True),
        )
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"holds no model that loads: {str(error).splitlines()[0]}",
            place=str(folder),
            remedy="name a folder with one model folder for every size, as `sage models train-reference` makes them",
        ) from error


def ask(model: Any, tokenizer: Any, asked: Sequence[Question]) -> list[Answer]:
    """Greedy answers, in the order of the questions; those of like length go through the model together."""
    prompts = [
        tokenizer.apply_chat_template(
            [asdict(message) for message in question.messages], add_generation_prompt=True, return_dict=False
        )
        for question in asked
    ]
    answers: dict[int, Answer] = {}
    for chosen in alike(prompts):
        answers |= dict(zip(chosen, _greedy(model, tokenizer, [prompts[n] for n in chosen]), strict=True))
    return [answers[number] for number in range(len(prompts))]


def alike(prompts: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Numbers of the prompts that go through a model together: those of like length, the longest first."""
    waiting = sorted(range(len(prompts)), key=lambda number: len(prompts[number]))
    while waiting:
        together = max(1, min(BATCH, BATCH_TOKENS // len(prompts[waiting[-1]])))
        chosen, waiting = waiting[-together:], waiting[:-together]
        yield chosen


def _greedy(model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]]) -> list[Answer]:
    said: list[list[int]] = [[] for _ in prompts]
    least = [1.0] * len(prompts)

    def note(going: "torch.Tensor", logits: "torch.Tensor") -> "torch.Tensor":
        chances, tokens = _best(logits)
        _note(said, least, going, tokens, chances)
        return tokens

    decode(model, tokenizer, prompts, note)
    return [
        Answer(tokenizer.decode(tokens, skip_special_tokens=True), chance)
        for tokens, chance in zip(said, least, strict=True)
    ]


def decode(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Sequence[int]],
    note: Callable[["torch.Tensor", "torch.Tensor"], "torch.Tensor"],
) -> None:
    """Let the model answer all prompts together, token by token.

    `note` is given who still goes on [batch] and the logits [batch, vocab], and returns the tokens to go on with.
    """
    import torch

    pad, stop = tokenizer.pad_token_id, tokenizer.eos_token_id
    longest = max(map(len, prompts))
    ids = torch.tensor([[pad] * (longest - len(prompt)) + list(prompt) for prompt in prompts])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    going = torch.ones(len(prompts), dtype=torch.bool)
    cache = None
    with torch.inference_mode():
        for _ in range(LONGEST_ANSWER):
            positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
            out = model(
                input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, logits_to_keep=1
            )
            cache = out.past_key_values
            tokens = note(going, out.logits[:, -1])
            going &= tokens != stop
            if not going.any():
                break
            ids = tokens[:, None]
            mask = torch.cat([mask, torch.ones_like(ids)], dim=1)


def _best(logits: "torch.Tensor") -> tuple["torch.Tensor", "torch.Tensor"]:
    """Probability and id of the likeliest token of each row."""
    best = logits.float().softmax(-1).max(-1)
    return best.values, best.indices


def _note(
    said: list[list[int]], least: list[float], going: "torch.Tensor", tokens: "torch.Tensor", chances: "torch.Tensor"
) -> None:
    """Append the new token to every answer that still goes on."""
    for row in going.nonzero().flatten().tolist():
        said[row].append(int(tokens[row]))
        least[row] = min(least[row], float(chances[row]))


def table(figures: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lines of a Markdown table: one row per skill and difficulty, one column per size."""
    sizes = list(figures)
    names = list(dict.fromkeys(name for size in sizes for name in figures[size]["skills"]))
    lines = [f"| skill | {' | '.join(sizes)} |", f"|---|{'---|' * len(sizes)}"]
    for name in names:
        cells = (figures[size]["skills"][name] for size in sizes)
        shown = (f"{cell['share']:.3f} ({cell['low']:.3f}–{cell['high']:.3f})" for cell in cells)
        lines.append(f"| {name} | {' | '.join(shown)} |")
    means = (f"**{figures[size]['mean']:.3f}**" for size in sizes)
    return [*lines, f"| mean over skills | {' | '.join(means)} |"]
