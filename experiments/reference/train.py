"""Train one size of the reference family: `python -m experiments.reference.train --size sensory --out DIR`.

`--course revision --from DIR` goes on from the weights that the course before left in DIR, and so does `finish`.

The same seed and thread count give the same weights, also when the run was killed on the way and taken up again: a
step's batch follows from its number, and a checkpoint holds the rest.
"""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.reference import attention, checkpoint, integrity, tokenizer
from experiments.reference.batches import STEP_TOKENS, Batch, Packer
from experiments.reference.courses import COURSES, FIRST, Course
from experiments.reference.family import SIZES
from protocol.errors import ConfigError
from runtime.paths import write_atomically

if TYPE_CHECKING:
    import torch
    from transformers import Qwen2ForCausalLM

DEVICES = ("cpu", "cuda")
CHECKPOINT_SECONDS = 60.0
WARM_UP, CONSTANT_UNTIL = 0.02, 0.5
LOG_EVERY = 25
CHECKPOINT, LOG, ORIGIN = "checkpoint.safetensors", "training_log.jsonl", "training.json"


@dataclass(frozen=True)
class Settings:
    """What decides the weights."""

    size: str
    tokens: int = 0
    """0 takes the course's own."""
    seed: int = 1
    rate: float = 0.0
    """Learning rate of both optimizers; 0 takes the size's own."""
    threads: int = 1
    device: str = "cpu"
    course: str = FIRST.name

    @property
    def all_tokens(self) -> int:
        return self.tokens or COURSES[self.course].tokens

    @property
    def steps(self) -> int:
        return max(1, self.all_tokens // STEP_TOKENS)


@dataclass(frozen=True)
class Progress:
    """Where a training stands. `loss` is the weighted mean over the tokens since the last report."""

    step: int
    steps: int
    tokens: int
    loss: float
    rate: float
    tokens_per_second: float
    seconds_left: float


Report = Callable[[Progress], None]


@dataclass(frozen=True)
class Conduct:
    """How a training is carried out; the weights are the same whatever it says, but for `base`."""

    base: Path | None = None
    """The model folder that the course before left; a later course begins there."""

    stop_after: int | None = None
    """Leave after so many steps in all, with a checkpoint."""
    seconds: float | None = None
    """Leave after so long, with a checkpoint."""
    packers: int = 0
    """Processes that draw conversations ahead. A GPU needs a few; 0 draws them between the steps."""


def train(settings: Settings, out: Path, report: Report, conduct: Conduct = Conduct()) -> bool:
    """Train into `out`, going on from a checkpoint there; True when it is finished and saved as a model folder.

    Raises ConfigError for a device that is not there, a folder that cannot be written to or holds another run.
    """
    import torch

    if settings.device == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "torch sees no CUDA device", place="--device cuda", remedy="use cpu, or install a CUDA build of torch"
        )
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it CUDA's matrix products may vary
    torch.set_num_threads(settings.threads)
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    try:
        return _train(settings, out, report, conduct)
    except OSError as error:
        raise ConfigError(
            f"cannot be written: {error.strerror or error}",
            place=str(error.filename or out),
            remedy="make room or name another folder; what the last checkpoint holds is kept",
        ) from error


def _train(settings: Settings, out: Path, report: Report, conduct: Conduct) -> bool:
    course = COURSES[settings.course]
    base = _base(course, conduct.base)
    origin = {**asdict(settings), "tokens": settings.all_tokens, "diet": course.record(settings.size), "base": base}
    if (out / ORIGIN).exists():
        _check_finished(out / ORIGIN, origin)
        return True
    out.mkdir(parents=True, exist_ok=True)
    words = tokenizer.pretrained()
    model = _new_model(settings, words) if conduct.base is None else _known_model(settings, conduct.base)
    optimizers = _optimizers(model)
    packer = Packer(words, course, settings.size, settings.seed, settings.steps)
    place = out / CHECKPOINT
    done, losses = 0, []
    if place.exists():
        run = checkpoint.restore(place, model, optimizers, origin)
        done, losses = run["step"], run["losses"]
    _cut_log(out / LOG, done)

    last = min(settings.steps, conduct.stop_after or settings.steps)
    meter = _Meter(settings.steps, losses)
    saved = began = time.monotonic()
    with closing(packer.batches(range(done, last), conduct.packers)) as batches:
        for step, batch in enumerate(batches, start=done):
            rate = learning_rate(settings, step)
            loss = _step(model, optimizers, batch, rate, settings.device)
            if progress := meter.step(step + 1, loss, rate):
                _log(out / LOG, progress)
                report(progress)
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                checkpoint.save(place, model, optimizers, {**origin, "step": step + 1, "losses": meter.losses()})
                saved = time.monotonic()
            if conduct.seconds is not None and time.monotonic() - began > conduct.seconds:
                last = step + 1
                break
    if last < settings.steps:
        checkpoint.save(place, model, optimizers, {**origin, "step": last, "losses": meter.losses()})
        return False
    _save_model(model, words, out)
    if conduct.base is not None:
        for log in logs(conduct.base):
            shutil.copyfile(log, out / (log.name if log.name != LOG else f"{base['course']}_{LOG}"))
    write_atomically(out / ORIGIN, (json.dumps(origin, indent=1) + "\n").encode(), mode=0o644)
    place.unlink(missing_ok=True)
    return True


def _check_finished(place: Path, origin: dict[str, Any]) -> None:
    """ConfigError if what was trained here before is something else."""
    if json.loads(place.read_text()) != origin:
        raise ConfigError(
            "another training has already finished here", place=str(place), remedy="train into another folder"
        )


def logs(folder: Path) -> list[Path]:
    """What was logged of the courses so far: the last one's as LOG, the others' each with its name before that."""
    return sorted(folder.glob(f"*{LOG}"))


def _base(course: Course, folder: Path | None) -> dict[str, Any] | None:
    """What the course begins from, for the record. ConfigError where it is missing, too much, or another course's."""
    names = list(COURSES)
    before = names[names.index(course.name) - 1] if course is not FIRST else ""
    if bool(before) != bool(folder):
        raise ConfigError(
            f"the {course.name} course begins from {f'what the {before} course left' if before else 'nothing'}",
            place="--from",
            remedy=f"name the folder of the {before} course by --from" if before else "leave --from out",
        )
    if folder is None:
        return None
    if not (folder / ORIGIN).exists():
        raise ConfigError("no finished training lies here", place=str(folder), remedy=f"finish the {before} course")
    found: dict[str, Any] = {"weights": integrity.version(folder), **json.loads((folder / ORIGIN).read_text())}
    if found["course"] != before:
        raise ConfigError(
            f"this is what the {found['course']} course left", place=str(folder), remedy=f"name that of {before}"
        )
    return found


def learning_rate(settings: Settings, step: int) -> float:
    """Warm-up, constant for half, then linear to zero."""
    peak = settings.rate or SIZES[settings.size].rate * COURSES[settings.course].rate
    progress = (step + 1) / settings.steps
    return peak * min(1.0, progress / WARM_UP, (1.0 - step / settings.steps) / (1.0 - CONSTANT_UNTIL))


def _new_model(settings: Settings, words: Any) -> "Qwen2ForCausalLM":
    import torch
    from transformers import Qwen2ForCausalLM

    torch.manual_seed(settings.seed)
    size = SIZES[settings.size]
    model = Qwen2ForCausalLM(size.config(len(words), words.eos_token_id, words.pad_token_id))
    model.set_attn_implementation(attention.register())
    return model.to(settings.device).train()


def _known_model(settings: Settings, folder: Path) -> "Qwen2ForCausalLM":
    import torch
    from transformers import Qwen2ForCausalLM

    model = Qwen2ForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    model.set_attn_implementation(attention.register())
    return model.to(settings.device).train()  # type: ignore[no-any-return]


def _optimizers(model: "Qwen2ForCausalLM") -> list["torch.optim.Optimizer"]:
    """Muon for the matrices inside the layers, AdamW for embeddings, norms and biases. Rates are set at every step."""
    import torch

    inside = [value for name, value in model.named_parameters() if value.ndim == 2 and "embed" not in name]
    chosen = set(map(id, inside))
    others = [value for value in model.parameters() if id(value) not in chosen]
    return [
        torch.optim.Muon(inside, lr=0.0, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=0.0, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def _step(
    model: "Qwen2ForCausalLM", optimizers: list["torch.optim.Optimizer"], batch: Batch, rate: float, device: str
) -> "torch.Tensor":
    """One update; the weighted mean loss before it, still on the device: to read it there waits for the step."""
    import torch

    ids = torch.tensor(batch.ids, device=device)  # rows x length
    weights = torch.tensor(batch.weights, device=device)[:, 1:]
    with _autocast(device):
        logits = model(input_ids=ids[:, :-1], use_cache=False).logits  # rows x (length - 1) x vocabulary
    losses = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    loss = (losses * weights.flatten()).sum() / weights.sum()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return loss.detach()


def _autocast(device: str) -> AbstractContextManager[Any]:
    import torch

    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16) if _has_bf16(device) else nullcontext()


def _has_bf16(device: str) -> bool:
    import torch

    return device != "cpu" or torch.cpu._is_avx512_bf16_supported()


class _Meter:
    """Counts loss and speed between reports, also across a stop."""

    def __init__(self, steps: int, losses: list[float]) -> None:
        self._losses: list[float | torch.Tensor] = list(losses)
        self._steps = steps
        self._timed = 0
        self._since = time.monotonic()

    def losses(self) -> list[float]:
        """Those since the last report."""
        return list(map(float, self._losses))

    def step(self, step: int, loss: "torch.Tensor", rate: float) -> Progress | None:
        """What to report after `step`, if anything."""
        self._losses.append(loss)
        self._timed += 1
        if step % LOG_EVERY and step != self._steps:
            return None
        losses = self.losses()
        now = time.monotonic()
        speed = self._timed * STEP_TOKENS / max(now - self._since, 1e-9)
        mean = sum(losses) / len(losses)
        self._losses, self._timed, self._since = [], 0, now
        return Progress(
            step, self._steps, step * STEP_TOKENS, mean, rate, speed, (self._steps - step) * STEP_TOKENS / speed
        )


def _save_model(model: "Qwen2ForCausalLM", words: Any, out: Path) -> None:
    """A Hugging Face folder, weights in bfloat16."""
    import torch
    from transformers import GenerationConfig

    model.eval().to(device="cpu", dtype=torch.bfloat16).save_pretrained(out)
    tokenizer.save(out)
    GenerationConfig(
        do_sample=False, max_new_tokens=128, eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id
    ).save_pretrained(out)


def _log(path: Path, progress: Progress) -> None:
    line = {"step": progress.step, "tokens": progress.tokens, "loss": round(progress.loss, 4), "rate": progress.rate}
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")


def _cut_log(path: Path, step: int) -> None:
    """Drop what a killed run logged after its last checkpoint."""
    if path.exists():
        lines = [line for line in path.read_text().splitlines() if json.loads(line)["step"] <= step]
        write_atomically(path, "".join(f"{line}\n" for line in lines).encode(), mode=0o644)


def progress_line(progress: Progress) -> str:
    percent = 100 * progress.step / progress.steps
    minutes, seconds = divmod(round(progress.seconds_left), 60)
    return (
        f"{percent:5.1f}%  step {progress.step}/{progress.steps}  loss {progress.loss:.3f}  "
        f"{progress.tokens_per_second:,.0f} tokens/s  {minutes}:{seconds:02d} left"
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m experiments.reference.train", description=__doc__)
    parser.add_argument("--size", choices=tuple(SIZES), required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--course", choices=tuple(COURSES), default=FIRST.name)
    parser.add_argument("--from", dest="base", type=Path, help="the model folder that the course before left")
    parser.add_argument("--tokens", type=int, default=0, help="0 takes the course's own")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=0.0, help="learning rate; 0 takes the size's own")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=DEVICES, default="cpu")
    parser.add_argument("--stop-after", type=int, help="leave after so many steps in all, with a checkpoint")
    parser.add_argument("--packers", type=int, default=0, help="processes that draw conversations ahead, for a GPU")
    given = parser.parse_args(arguments)
    settings = Settings(given.size, given.tokens, given.seed, given.rate, given.threads, given.device, given.course)
    conduct = Conduct(base=given.base, stop_after=given.stop_after, packers=given.packers)
    finished = train(settings, given.out, lambda progress: print(progress_line(progress), flush=True), conduct)
    print(
        f"saved in {given.out}" if finished else f"stopped; go on with the same command ({given.out})", file=sys.stderr
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
