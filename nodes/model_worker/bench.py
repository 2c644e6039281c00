"""What kept attention state saves: time to first token on it, against computing all of it anew, in the same run.

Everything goes through the engine as a worker's request does, but for the tokenizer. All of a round's sides are
measured one after the other, and only their ratios are judged.
"""

import gzip
import io
import pickle
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import torch

from nodes.model_worker import generation, levels, random_weights
from nodes.model_worker.engine import Engine
from nodes.model_worker.errors import ContextTooLong
from nodes.model_worker.kv.chunkfile import Keys
from nodes.model_worker.kv.state import AttentionState
from nodes.model_worker.kv.vault import Vault
from nodes.model_worker.levels import Level
from nodes.model_worker.loading import LoadedModel
from protocol.messages.model import Generate, Generated
from runtime.bench.plot import Axis, lines
from runtime.bench.record import Goal, at_least, at_most
from runtime.bench.session import Outcome, Session
from runtime.bench.statistics import spread
from runtime.identity import HostIdentity

NEW = 32
"""Tokens of a turn."""
PREFIXES = (512, 1024, 2048)
CONTINUOUS = {512: 10.0, 1024: 16.0, 2048: 28.0}
"""Prefix length → how many times sooner the first token is to come on continuous state; half of it on cold."""
RESUMED = 1024
DISK_GOAL = 5.0
NOISE_TOKENS = 384
FLAT = (64, 256, 512, 1024, 1536, 2048)
BUDGET = 4 << 30


class Timed(msgspec.Struct):
    seconds: float
    generated: Generated


class Bench:
    def __init__(self, session: Session, *, model: LoadedModel, level: Level) -> None:
        self.session = session
        self.model = model
        self.level = level
        self.random = Random(session.seed)

    def engine(self, vault: Vault | None = None) -> Engine:
        return Engine(self.level, vault=vault, model=self.model)

    def ids(self, count: int) -> list[int]:
        return [self.random.randrange(self.model.vocab) for _ in range(count)]

    def first_token(self, engine: Engine, ids: Sequence[int], name: str = "", exactness: str = "continuous") -> Timed:
        if self.model.device == "cuda":
            torch.cuda.synchronize()
        began = time.perf_counter()
        generated = engine.generate(Generate(ids=list(ids), session=name, max_new_tokens=1, exactness=exactness))
        return Timed(time.perf_counter() - began, generated)

    def anew(self, ids: Sequence[int]) -> float:
        """All of it computed: in chunks, as a worker does, or in one piece; whichever is faster."""
        chunked = self.first_token(self.engine(), ids).seconds
        began = time.perf_counter()
        with torch.inference_mode():
            tokens = torch.tensor([list(ids)], device=self.model.device)
            last = torch.tensor([len(ids) - 1], device=self.model.device)
            int(self.model.model(input_ids=tokens, use_cache=True, logits_to_keep=last).logits[0, -1].argmax())
        whole = time.perf_counter() - began
        self.session.raw(side="anew", tokens=len(ids), chunked=chunked, whole=whole)
        return min(chunked, whole)


def measure(session: Session, *, shape: str, device: str, dtype: str, chunk: int | None, threads: int) -> Outcome:
    chosen = levels.load("configs/levels.qwen.yaml").by_name(shape)
    assert chosen.shape is not None, "the levels of configs/levels.qwen.yaml have shapes"
    size = chunk or chosen.prefill_chunk
    model = random_weights.build(
        chosen.shape, dtype=dtype, device=device, seed=session.seed, chunk=size, threads=threads
    )
    level = Level(
        name=shape,
        model=f"random weights of the shape of {chosen.model}",
        context=random_weights.CONTEXT,
        max_new_tokens=NEW,
        state=BUDGET,
        prefill_chunk=size,
    )
    bench = Bench(session, model=model, level=level)
    rounds = 1 if session.quick else 5
    prefixes = PREFIXES[:1] if session.quick else PREFIXES
    progress = session.progress(rounds * len(prefixes) + 5)
    figures: dict[str, Any] = {"chunk": size, "threads": threads, "parameters": model.parameters, "prefixes": {}}
    bench.anew(bench.ids(NEW))  # the first pass of a model is slower than all that follow
    for prefix in prefixes:
        found: dict[str, list[float]] = {"continuous": [], "cold": [], "resumed": []}
        for _ in range(rounds):
            for side, ratio in _round(bench, prefix).items():
                found[side].append(ratio)
            progress.advance(1, f"prefix of {prefix}")
        figures["prefixes"][str(prefix)] = {
            side: {**spread(ratios), "mean": round(statistics.mean(ratios), 2), "worst": round(min(ratios), 2)}
            for side, ratios in found.items()
        }
    figures["flat"] = _flat(bench, FLAT[:3] if session.quick else FLAT)
    session.file("time-over-prefix.svg", _plot(figures["flat"]))
    progress.advance(1, "a second worker")
    figures["shared"] = _shared(bench)
    progress.advance(1, "files")
    figures["files"] = _files(bench, RESUMED)
    progress.advance(1, "noise")
    figures["noise"] = _noise(bench, 1 if session.quick else 4)
    progress.advance(1, "the limit")
    figures["limit"] = _limit(bench)
    progress.advance(1, "done")
    return Outcome(figures=figures, goals=_goals(figures), packages=("torch", "transformers"), text=_text(figures))


def _round(bench: Bench, prefix: int) -> dict[str, float]:
    """How many times sooner the first token comes than when everything is computed anew."""
    held, new = bench.ids(prefix), bench.ids(NEW)
    anew = bench.anew([*held, *new])
    engine = bench.engine()
    bench.first_token(engine, held, "s")
    continuous = bench.first_token(engine, [*held, *new], "s")
    _expect(continuous.generated, reused=prefix)

    length = prefix - bench.random.randrange(bench.level.prefill_chunk)
    cold_engine = bench.engine()
    bench.first_token(cold_engine, held[:length], "c", "cold")
    cold = bench.first_token(cold_engine, [*held[:length], *new], "c", "cold")
    _expect(cold.generated, reused=length - length % bench.level.prefill_chunk)

    resumed = _resume(bench, held, new)
    bench.session.raw(
        prefix=prefix, anew=anew, continuous=continuous.seconds, cold=cold.seconds, length=length, resumed=resumed
    )
    return {
        "continuous": anew / continuous.seconds,
        "cold": anew * (length + NEW) / (prefix + NEW) / cold.seconds,
        "resumed": anew / resumed,
    }


def _resume(bench: Bench, held: list[int], new: list[int]) -> float:
    """Seconds from opening the files to the first token, in a process that holds the model and nothing else."""
    with tempfile.TemporaryDirectory(prefix="sage-bench-") as place:
        keys = Keys(HostIdentity.load(Path(place)))
        vault = Vault(Path(place) / "kv", keys, budget=BUDGET)
        engine = bench.engine(vault)
        bench.first_token(engine, held, "s")
        engine.close()
        vault.close()
        began = time.perf_counter()
        vault = Vault(Path(place) / "kv", keys, budget=BUDGET)
        engine = bench.engine(vault)
        resumed = bench.first_token(engine, [*held, *new], "s")
        seconds = time.perf_counter() - began
        _expect(resumed.generated, reused=len(held))
        engine.close()
        vault.close()
    return seconds


def _expect(generated: Generated, *, reused: int) -> None:
    if generated.tokens_reused != reused:
        raise AssertionError(f"{generated.tokens_reused} tokens were reused, {reused} are held")


def _flat(bench: Bench, prefixes: Sequence[int]) -> dict[str, float]:
    """Seconds to the first token of a turn, by the length of what lies before it."""
    found = {}
    for prefix in prefixes:
        engine, held = bench.engine(), bench.ids(prefix)
        bench.first_token(engine, held, "s")
        times = [bench.first_token(engine, [*held, *bench.ids(NEW)], "s").seconds for _ in range(3)]
        found[str(prefix)] = round(min(times), 5)
    return found


def _shared(bench: Bench) -> dict[str, Any]:
    """What a second worker computes of a conversation that the first one has written down."""
    size = bench.level.prefill_chunk
    held = bench.ids(8 * size + size // 2)
    with tempfile.TemporaryDirectory(prefix="sage-bench-") as place:
        keys = Keys(HostIdentity.load(Path(place)))
        vault = Vault(Path(place) / "kv", keys, budget=BUDGET)
        engine = bench.engine(vault)
        bench.first_token(engine, held, "first")
        engine.close()
        second = bench.engine(vault)
        other = bench.first_token(second, held, "second").generated
        second.close()
        written = sum(path.stat().st_size for path in Path(place).rglob("*.kv*"))
        vault.close()
    return {
        "tokens": len(held),
        "computed_by_the_second": other.tokens_computed,
        "partial_chunk": len(held) % size,
        "bytes_per_conversation": written,
        "bytes_per_token": round(written / len(held)),
        "bytes_per_token_in_memory": bench.model.state.per_token,
    }


def _files(bench: Bench, tokens: int) -> dict[str, Any]:
    """Megabytes of attention state a second to the disk and back, and what they take there."""
    engine, ids = bench.engine(), bench.ids(tokens)
    bench.first_token(engine, ids, "s")
    state: AttentionState = engine.desk
    whole = state.piece(0, tokens)
    found: dict[str, Any] = {"bytes": whole.nbytes}
    with tempfile.TemporaryDirectory(prefix="sage-bench-") as place:
        found["sage"] = _sage_files(bench, Path(place), ids)
        found["torch.save + gzip"] = _timed_files(
            Path(place) / "gzip",
            whole,
            lambda: gzip.compress(_torch_saved(whole), compresslevel=6),
            lambda data: torch.load(io.BytesIO(gzip.decompress(data)), weights_only=True),
        )
        # The comparison is the point: nothing of ours is ever pickled.
        found["pickle"] = _timed_files(Path(place) / "pickle", whole, lambda: pickle.dumps(whole), pickle.loads)
    return found


def _sage_files(bench: Bench, place: Path, ids: list[int]) -> dict[str, float]:
    keys = Keys(HostIdentity.load(place))
    vault = Vault(place / "kv", keys, budget=BUDGET)
    engine = bench.engine(vault)
    nbytes = len(ids) * bench.model.state.per_token
    bench.first_token(engine, ids, "s")
    began = time.perf_counter()
    engine.close()
    # Writing began behind the first token; what of it was still to do here is at most the whole.
    saved = time.perf_counter() - began
    vault.close()
    size = sum(path.stat().st_size for path in place.rglob("*.kv"))
    vault = Vault(place / "kv", keys, budget=BUDGET)
    again = bench.engine(vault)
    began = time.perf_counter()
    for path in vault.chunk_files():
        vault.check_chunk(path)
    loaded = time.perf_counter() - began
    again.close()
    vault.close()
    return {"save_mb_s": round(nbytes / saved / 1e6, 1), "load_mb_s": round(nbytes / loaded / 1e6, 1), "size": size}


def _torch_saved(tensor: torch.Tensor) -> bytes:
    buffer = io.BytesIO()
    torch.save(tensor, buffer)
    return buffer.getvalue()


def _timed_files(path: Path, tensor: torch.Tensor, save: Any, load: Any) -> dict[str, float]:
    began = time.perf_counter()
    data = save()
    path.write_bytes(data)
    saved = time.perf_counter() - began
    began = time.perf_counter()
    load(path.read_bytes())
    loaded = time.perf_counter() - began
    return {
        "save_mb_s": round(tensor.nbytes / saved / 1e6, 1),
        "load_mb_s": round(tensor.nbytes / loaded / 1e6, 1),
        "size": len(data),
    }


def _noise(bench: Bench, prompts: int) -> dict[str, Any]:
    """Largest difference of a logit: between computations from nothing in several portions, and of continued state.

    Continued: a prompt, tokens that were decoded one by one, and a further turn. Another greedy token counts only where
    the computation from nothing told its two best apart by more than the noise.
    """
    noise, ours, beyond, scale = 0.0, 0.0, 0, 0.0
    for _ in range(prompts):
        ids = bench.ids(NOISE_TOKENS)
        colds = [_logits(bench, ids, size) for size in (bench.level.prefill_chunk, 32, 64, len(ids))]
        continued = _continued(bench, ids)
        this = max(float((a - b).abs().max()) for a in colds for b in colds)
        noise, ours = max(noise, this), max(ours, float((continued - colds[0]).abs().max()))
        first, second = colds[0].topk(2).values.tolist()
        beyond += int(continued.argmax()) != int(colds[0].argmax()) and first - second > this
        scale = max(scale, float(colds[0].abs().max()))
    return {
        "prompts": prompts,
        "two_from_nothing": round(noise, 5),
        "continued_from_nothing": round(ours, 5),
        "greedy_beyond_noise": beyond,
        "largest_logit": round(scale, 3),
    }


def _logits(bench: Bench, ids: list[int], size: int) -> torch.Tensor:
    state = AttentionState(bench.model.state.layers, size)
    logits = generation.prefill(bench.model.model, state, ids, chunk=size, interrupted=lambda: "")
    assert logits is not None, "nobody interrupts"
    return logits


def _continued(bench: Bench, ids: list[int]) -> torch.Tensor:
    model, size = bench.model.model, bench.level.prefill_chunk
    state = AttentionState(bench.model.state.layers, size)
    third = len(ids) // 3
    generation.prefill(model, state, ids[:third], chunk=size, interrupted=lambda: "")
    for token in ids[third : 2 * third]:
        generation.forward(model, state, [token])
    logits = generation.prefill(model, state, ids[2 * third :], chunk=size, interrupted=lambda: "")
    assert logits is not None, "nobody interrupts"
    return logits


def _limit(bench: Bench) -> dict[str, Any]:
    limit = 256
    engine = Engine(msgspec.structs.replace(bench.level, context=limit), model=replace(bench.model, context=limit))
    try:
        engine.generate(Generate(ids=bench.ids(limit), max_new_tokens=1))
    except ContextTooLong as error:
        return {"limit": limit, "refused": str(limit) in str(error)}
    return {"limit": limit, "refused": False}


def _goals(figures: dict[str, Any]) -> list[Goal]:
    found = []
    for prefix, target in CONTINUOUS.items():
        measured = figures["prefixes"].get(str(prefix))
        found += [
            at_least(
                f"continuous_{prefix}",
                f"first token of a turn on {prefix} kept tokens, times sooner than computing all anew",
                target=target,
                measured=measured["continuous"]["median"] if measured else None,
            ),
            at_least(
                f"cold_{prefix}",
                f"the same bit for bit as from nothing, prefix lengths at random below {prefix}, mean",
                target=target / 2,
                measured=measured["cold"]["mean"] if measured else None,
            ),
        ]
    resumed = figures["prefixes"].get(str(RESUMED))
    shared, noise = figures["shared"], figures["noise"]
    return [
        *found,
        at_least(
            "resumed",
            f"first token on {RESUMED} tokens read from the disk, from opening the files, times sooner than anew",
            target=DISK_GOAL,
            measured=resumed["resumed"]["median"] if resumed else None,
        ),
        at_most(
            "second_worker",
            "tokens that a second worker computes beyond the partial chunk",
            target=0,
            measured=shared["computed_by_the_second"] - shared["partial_chunk"],
        ),
        at_most(
            "noise",
            "continued state from a computation from nothing, in parts of what two of these differ by (largest logit)",
            target=1,
            measured=round(noise["continued_from_nothing"] / max(noise["two_from_nothing"], 1e-9), 2),
        ),
        at_most(
            "greedy",
            "greedy tokens that differ where the two best lie further apart than that",
            target=0,
            measured=noise["greedy_beyond_noise"],
        ),
        at_least(
            "limit",
            "one token past the limit is refused with the limit",
            target=1,
            measured=figures["limit"]["refused"],
        ),
    ]


def _text(figures: dict[str, Any]) -> str:
    rows = ["| prefix | continuous | cold (mean, worst) | resumed from disk |", "|---|---|---|---|"]
    rows += [
        f"| {prefix} | {sides['continuous']['median']:.1f}× | {sides['cold']['mean']:.1f}×, "
        f"{sides['cold']['worst']:.1f}× | {sides['resumed']['median']:.1f}× |"
        for prefix, sides in figures["prefixes"].items()
    ]
    return "\n".join(rows)


def _plot(flat: dict[str, float]) -> bytes:
    points = [(float(prefix), 1000 * seconds) for prefix, seconds in flat.items()]
    return lines("Time to the first token of a turn", {f"{NEW} new tokens": points}, Axis("tokens before"), Axis("ms"))
